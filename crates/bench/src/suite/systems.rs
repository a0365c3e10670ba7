//! The systems that are measured: processes, started here and ended with this program.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::process::{Child, Command};

use crate::{
    process::Processes,
    wire::{http::HttpConnection, socket::Socket},
};

/// How long a system may take to start.
const START: Duration = Duration::from_secs(20);

/// How long a node may take to leave.
const LEAVE: Duration = Duration::from_secs(40);

/// How often it is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(50);

/// How long a node that joined stays.
const STAY: Duration = Duration::from_secs(2);

/// The ports of servers are below those that the kernel gives to clients.
const FIRST_PORT: u16 = 21_000;
const LAST_PORT: u16 = 31_000;

/// A kind of system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One node of Hither, recovery on.
    #[value(name = "hither-1")]
    HitherOne,
    /// Three nodes, replicas and recovery on, each session owned by the node that its client reached.
    #[value(name = "hither-3")]
    HitherThree,
    /// The same, each session owned by whichever node the hash of its id names.
    #[value(name = "hither-3-spread")]
    HitherSpread,
    /// Three nodes without replicas.
    #[value(name = "hither-3-bare")]
    HitherBare,
    /// socketioxide, one process.
    #[value(name = "socketioxide")]
    Socketioxide,
    /// socket.io on Node.js, one process.
    #[value(name = "socketio-1")]
    SocketioOne,
    /// Three processes of it, with Redis.
    #[value(name = "socketio-3")]
    SocketioThree,
}

impl Kind {
    /// All of them, in the order of the report.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    /// How many server processes it has, without Redis.
    pub(crate) fn processes(self) -> usize {
        match self {
            Self::HitherOne | Self::Socketioxide | Self::SocketioOne => 1,
            Self::HitherThree | Self::HitherSpread | Self::HitherBare | Self::SocketioThree => 3,
        }
    }

    /// Whether it is Hither.
    pub(crate) fn is_hither(self) -> bool {
        matches!(self, Self::HitherOne) || self.is_cluster_of_hither()
    }

    /// Whether it is Hither on several nodes.
    pub(crate) fn is_cluster_of_hither(self) -> bool {
        matches!(self, Self::HitherThree | Self::HitherSpread | Self::HitherBare)
    }

    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::HitherSpread => &["--placement", "spread"],
            Self::HitherBare => &["--no-replication"],
            _ => &[],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HitherOne => "Hither ×1",
            Self::HitherThree => "Hither ×3",
            Self::HitherSpread => "Hither ×3, spread",
            Self::HitherBare => "Hither ×3, no replicas",
            Self::Socketioxide => "socketioxide ×1",
            Self::SocketioOne => "socket.io ×1",
            Self::SocketioThree => "socket.io ×3 + Redis",
        })
    }
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// Hither's testbed.
    pub(crate) testbed: PathBuf,
    /// `socketioxide-testbed`.
    pub(crate) socketioxide: Option<PathBuf>,
    /// The script that serves by socket.io.
    pub(crate) socketio: Option<PathBuf>,
    /// `redis-server`.
    pub(crate) redis: Option<PathBuf>,
}

impl Programs {
    /// Whether all that a kind of system needs is there.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Socketioxide => self.socketioxide.is_some(),
            Kind::SocketioOne => self.socketio.is_some(),
            Kind::SocketioThree => self.socketio.is_some() && self.redis.is_some(),
            _ => true,
        }
    }
}

/// A system that runs. Its processes end when it is dropped.
#[derive(Debug)]
pub(crate) struct System {
    /// What it is.
    pub(crate) kind: Kind,
    /// Where its clients connect.
    pub(crate) servers: Vec<SocketAddr>,
    children: Vec<Child>,
    testbed: PathBuf,
    seeds: Vec<SocketAddr>,
}

impl System {
    /// Starts one, and waits until it serves.
    pub(crate) async fn start(kind: Kind, programs: &Programs) -> Result<Self> {
        let mut system = Self {
            kind,
            servers: Vec::new(),
            children: Vec::new(),
            testbed: programs.testbed.clone(),
            seeds: Vec::new(),
        };
        match kind {
            Kind::Socketioxide => {
                let program = programs
                    .socketioxide
                    .as_deref()
                    .ok_or_else(|| anyhow!("no socketioxide"))?;
                let address = free_address()?;
                system.add(Command::new(program).arg(address.to_string()), address)?;
            }
            Kind::SocketioOne | Kind::SocketioThree => system.start_socketio(programs)?,
            _ => {
                let nodes = (0..kind.processes())
                    .map(|_| free_address())
                    .collect::<Result<Vec<_>>>()?;
                // A node that has others to look for waits for them a while; one alone need not.
                system.seeds = if nodes.len() > 1 {
                    nodes.clone()
                } else {
                    Vec::new()
                };
                for (index, cluster) in nodes.into_iter().enumerate() {
                    let address = free_address()?;
                    system.add(&mut system.node(index, address, cluster), address)?;
                }
            }
        }
        system.wait_until_up().await?;
        Ok(system)
    }

    /// The processes of this system, to be measured.
    pub(crate) fn processes(&self) -> Processes {
        Processes::new(self.children.iter().filter_map(Child::id).collect())
    }

    /// Has one more node join, stay for a while, and leave.
    pub(crate) async fn come_and_go(&self) -> Result<()> {
        let (http, cluster) = (free_address()?, free_address()?);
        let mut child = spawn(&mut self.node(self.servers.len(), http, cluster))?;
        let everybody = self.servers.len() + 1;
        wait_for("the joining node", START, || async move {
            up(http).await.is_ok_and(|up| up == everybody)
        })
        .await?;
        tokio::time::sleep(STAY).await;
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        kill_process(
            pid.ok_or_else(|| anyhow!("the node that joined has ended"))?,
            Signal::TERM,
        )?;
        let status = tokio::time::timeout(LEAVE, child.wait())
            .await
            .context("the node does not leave")??;
        ensure!(status.success(), "the node that was to leave ended with {status}");
        Ok(())
    }

    fn node(&self, index: usize, http: SocketAddr, cluster: SocketAddr) -> Command {
        let mut command = Command::new(&self.testbed);
        command.args([
            "--log",
            "warn",
            "--recovery",
            "2m",
            "--leave-spread",
            "0s",
            "--name",
        ]);
        command.arg(format!("node{}", index + 1));
        command.args(["--http", &http.to_string(), "--cluster", &cluster.to_string()]);
        command.args(["--public-status", "--admin", "127.0.0.1:0"]);
        for seed in &self.seeds {
            command.args(["--seed", &seed.to_string()]);
        }
        command.args(self.kind.flags());
        command
    }

    fn start_socketio(&mut self, programs: &Programs) -> Result<()> {
        let script = programs
            .socketio
            .as_deref()
            .ok_or_else(|| anyhow!("no socket.io"))?;
        let mut redis = Vec::new();
        if self.kind == Kind::SocketioThree {
            let program = programs.redis.as_deref().ok_or_else(|| anyhow!("no Redis"))?;
            let port = free_address()?.port().to_string();
            let mut command = Command::new(program);
            command.args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--port",
                &port,
            ]);
            self.children.push(spawn(&mut command)?);
            redis = vec!["--redis".to_owned(), port];
        }
        for _ in 0..self.kind.processes() {
            let address = free_address()?;
            let mut command = Command::new("node");
            command
                .arg(script)
                .args(["--port", &address.port().to_string()])
                .args(&redis);
            self.add(&mut command, address)?;
        }
        Ok(())
    }

    fn add(&mut self, command: &mut Command, address: SocketAddr) -> Result<()> {
        self.children.push(spawn(command)?);
        self.servers.push(address);
        Ok(())
    }

    async fn wait_until_up(&self) -> Result<()> {
        let everybody = self.servers.len();
        for server in &self.servers {
            let server = *server;
            let hither = self.kind.is_hither();
            wait_for(&format!("{server}"), START, || async move {
                let serves = Socket::connect(server).await.is_ok();
                serves && (!hither || up(server).await.is_ok_and(|up| up == everybody))
            })
            .await?;
        }
        Ok(())
    }
}

/// How many nodes a node sees up.
async fn up(node: SocketAddr) -> Result<usize> {
    #[derive(Deserialize)]
    struct Status {
        members: Vec<Member>,
    }
    #[derive(Deserialize)]
    struct Member {
        phase: String,
    }
    let mut connection = HttpConnection::connect(node).await?;
    let status: Status = serde_json::from_slice(&connection.request("GET", "/status", "").await?)?;
    Ok(status
        .members
        .iter()
        .filter(|member| member.phase == "up")
        .count())
}

async fn wait_for<F: Future<Output = bool>>(
    what: &str,
    patience: Duration,
    mut holds: impl FnMut() -> F,
) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !holds().await {
        if Instant::now() > deadline {
            bail!("{what} is not up after {} s", patience.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

fn spawn(command: &mut Command) -> Result<Child> {
    let program = Path::new(command.as_std().get_program()).display().to_string();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    command.spawn().with_context(|| format!("starting {program}"))
}

/// An address on loopback whose port is free for TCP and UDP, and not given out before.
fn free_address() -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % u32::from(LAST_PORT - FIRST_PORT))?;
    for _ in FIRST_PORT..LAST_PORT {
        let offset = own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (LAST_PORT - FIRST_PORT);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST_PORT + offset));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port is free from {FIRST_PORT} to {LAST_PORT}")
}
