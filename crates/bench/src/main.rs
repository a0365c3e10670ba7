//! `hither-bench`: a load generator over the public protocol of Socket.IO, and a fixed set of benchmarks.
//!
//! The clients are its own: no task but one for each client, no timer that is not needed, one thread. So it tells what the
//! servers cost and not what their clients do. It says how much CPU it needed itself; near one core it is the bottleneck.

mod delivery;
mod latency;
mod pace;
mod process;
mod stamp;
mod suite;
mod wire;
mod workload;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{runtime, task::LocalSet};

use self::{
    pace::Pace,
    process::Processes,
    stamp::SHORTEST_PAYLOAD,
    suite::SuiteArgs,
    workload::{Target, Workload},
};

/// Puts load on Socket.IO servers and measures what it costs them.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One workload on servers that run already; prints what came of it as JSON
    Run {
        #[command(flatten)]
        target: TargetArgs,
        #[command(subcommand)]
        workload: WorkloadArgs,
    },
    /// The fixed set of workloads on systems that are started for it; writes a report
    Suite(SuiteArgs),
}

#[derive(Debug, Args)]
struct TargetArgs {
    /// A server. Repeatable; clients are dealt to them in turn
    #[arg(long = "server", value_name = "IP:PORT", required = true)]
    servers: Vec<SocketAddr>,
    /// A process whose CPU and memory count as the servers'. Repeatable
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<u32>,
    /// How long to go before measuring, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    warm_up: f64,
    /// How long to measure, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    seconds: f64,
    /// The length of each message's text in bytes, 33 at least
    #[arg(long, value_name = "BYTES", default_value = "64", value_parser = payload_length)]
    payload: usize,
}

fn payload_length(text: &str) -> Result<usize, String> {
    let length = text
        .parse()
        .map_err(|_| format!("'{text}' is not a number of bytes"))?;
    if length < SHORTEST_PAYLOAD {
        return Err(format!(
            "a text has {SHORTEST_PAYLOAD} bytes at least, which say what it is"
        ));
    }
    Ok(length)
}

#[derive(Debug, Subcommand)]
enum WorkloadArgs {
    /// Connect, then be idle
    Connect {
        /// How many clients
        #[arg(long, default_value_t = 1000)]
        clients: usize,
        /// How many connect at a time
        #[arg(long, default_value_t = 50)]
        at_once: usize,
    },
    /// Emit `echo` and get an ack
    Echo {
        /// How many clients
        #[arg(long, default_value_t = 100)]
        clients: usize,
        #[command(flatten)]
        pace: PaceArgs,
    },
    /// Emit `message` and get an event back, for this socket alone
    Direct {
        /// How many clients
        #[arg(long, default_value_t = 100)]
        clients: usize,
        #[command(flatten)]
        pace: PaceArgs,
    },
    /// Publish to rooms; with one member each they are private rooms
    FanOut {
        /// How many rooms
        #[arg(long, default_value_t = 10)]
        rooms: usize,
        /// How many members each has
        #[arg(long, default_value_t = 100)]
        members: usize,
        /// How many clients publish
        #[arg(long, default_value_t = 4)]
        publishers: usize,
        #[command(flatten)]
        pace: PaceArgs,
    },
    /// Emit `echo` and get an ack, by polling, each request to the next server
    Polling {
        /// How many clients
        #[arg(long, default_value_t = 100)]
        clients: usize,
    },
}

#[derive(Debug, Args)]
struct PaceArgs {
    /// Messages per second of all clients together; as fast as answers come unless given
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Messages that each client has under way when it goes as fast as answers come
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "rate")]
    window: usize,
}

impl From<PaceArgs> for Pace {
    fn from(PaceArgs { rate, window }: PaceArgs) -> Self {
        rate.map_or(Self::Acks { window }, |per_second| Self::Rate { per_second })
    }
}

impl From<WorkloadArgs> for Workload {
    fn from(args: WorkloadArgs) -> Self {
        match args {
            WorkloadArgs::Connect { clients, at_once } => Self::Connect { clients, at_once },
            WorkloadArgs::Echo { clients, pace } => Self::Echo {
                clients,
                pace: pace.into(),
            },
            WorkloadArgs::Direct { clients, pace } => Self::Direct {
                clients,
                pace: pace.into(),
            },
            WorkloadArgs::FanOut {
                rooms,
                members,
                publishers,
                pace,
            } => Self::FanOut {
                rooms,
                members,
                publishers,
                pace: pace.into(),
            },
            WorkloadArgs::Polling { clients } => Self::Polling { clients },
        }
    }
}

impl From<TargetArgs> for Target {
    fn from(args: TargetArgs) -> Self {
        Self {
            servers: args.servers,
            processes: Processes::new(args.pids),
            warm_up: Duration::from_secs_f64(args.warm_up),
            measure: Duration::from_secs_f64(args.seconds),
            payload: args.payload,
        }
    }
}

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hither-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<()> {
    raise_file_limit()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        match cli.command {
            Command::Suite(suite) => suite.run().await,
            Command::Run { target, workload } => {
                let outcome = Workload::from(workload)
                    .run(&target.into(), async { Ok(()) })
                    .await?;
                println!("{}", serde_json::to_string(&outcome)?);
                Ok(())
            }
        }
    })
}

/// As many open files as the system lets us have; each client is one.
fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )?;
    Ok(())
}
