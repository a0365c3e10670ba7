//! The fixed set of workloads, on several systems in one run.

mod cases;
mod report;
mod systems;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use self::{
    cases::{Case, Work},
    report::{Cell, Report},
    systems::{Kind, Programs, System},
};
use crate::workload::{Outcome, Target};

/// The fixed set of workloads, on several systems in one run.
#[derive(Clone, Debug, Args)]
pub(crate) struct SuiteArgs {
    /// Hither's testbed, a release build
    #[arg(long, value_name = "PATH")]
    testbed: PathBuf,
    /// The program `socketioxide-testbed`; without it that column is missing
    #[arg(long, value_name = "PATH")]
    socketioxide: Option<PathBuf>,
    /// The script that serves by socket.io on Node.js; without it those columns are missing
    #[arg(long, value_name = "PATH")]
    socketio: Option<PathBuf>,
    /// Debian's redis-server, which three processes of socket.io need; without it that column is missing
    #[arg(long, value_name = "PATH")]
    redis: Option<PathBuf>,
    /// Which systems to run, all that are there unless given
    #[arg(long, value_name = "SYSTEM", value_delimiter = ',')]
    systems: Vec<Kind>,
    /// Which workloads to run, all unless given
    #[arg(long, value_name = "WORK", value_delimiter = ',')]
    works: Vec<Work>,
    /// How long to measure each, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0)]
    seconds: f64,
    /// How often to run each; the median by CPU counts
    #[arg(long, value_name = "N", default_value_t = 1)]
    rounds: usize,
    /// Few clients: shows that everything works, and measures nothing of use
    #[arg(long)]
    smoke: bool,
    /// Which commit is measured, for the report
    #[arg(long, value_name = "TEXT", default_value = "unknown")]
    commit: String,
    /// Where to write the report; standard output unless given
    #[arg(long, value_name = "PATH", overrides_with = "out")]
    out: Option<PathBuf>,
}

impl SuiteArgs {
    /// Runs the set. Fails when a run failed, or a message was lost, doubled or out of order on Hither.
    pub(crate) async fn run(&self) -> Result<()> {
        let programs = Programs {
            testbed: self.testbed.clone(),
            socketioxide: self.socketioxide.clone(),
            socketio: self.socketio.clone(),
            redis: self.redis.clone(),
        };
        let kinds = Kind::all().filter(|kind| {
            let wanted = self.systems.is_empty() || self.systems.contains(kind);
            wanted && programs.has(*kind)
        });
        let mut systems = Vec::new();
        for kind in kinds {
            systems.push(
                System::start(kind, &programs)
                    .await
                    .with_context(|| format!("starting {kind}"))?,
            );
        }
        ensure!(
            !systems.is_empty(),
            "none of these systems can be started with the programs that were given"
        );
        let cases = Case::all(self.smoke)
            .into_iter()
            .filter(|case| self.works.is_empty() || self.works.contains(&case.work));
        let mut report = Report::new(systems.iter().map(|system| system.kind).collect());
        for case in cases {
            let cells = self.run_case(&case, &mut systems).await?;
            report.add(case, cells);
        }
        let text = report.markdown(&self.commit, self.seconds, self.rounds);
        match &self.out {
            Some(path) => fs::write(path, text).with_context(|| format!("writing {}", path.display()))?,
            None => println!("{text}"),
        }
        report.verdict()
    }

    /// Runs a case on all systems, in turn and again, so that what else the machine does falls on all alike.
    async fn run_case(&self, case: &Case, systems: &mut [System]) -> Result<Vec<Cell>> {
        let mut outcomes: Vec<Vec<Outcome>> = systems.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for (system, outcomes) in systems.iter_mut().zip(&mut outcomes) {
                if !case.is_for(system.kind) {
                    continue;
                }
                let measure = Duration::from_secs_f64(self.seconds);
                let target = Target {
                    servers: system.servers.clone(),
                    processes: system.processes(),
                    warm_up: measure / 4,
                    measure,
                    payload: 64,
                };
                let label = format!("{} on {}", case.title, system.kind);
                let outcome = if case.moves {
                    case.workload.run(&target, system.come_and_go()).await
                } else {
                    case.workload.run(&target, async { Ok(()) }).await
                };
                let outcome = outcome.with_context(|| label.clone())?;
                eprintln!("{label}: {}", serde_json::to_string(&outcome)?);
                outcomes.push(outcome);
            }
        }
        Ok(outcomes.into_iter().map(median).collect())
    }
}

/// The outcome with the median CPU time. What went wrong in any of them counts.
fn median(mut outcomes: Vec<Outcome>) -> Cell {
    outcomes.sort_by(|a, b| a.server_cpu_micros.total_cmp(&b.server_cpu_micros));
    let mut median = outcomes.get(outcomes.len() / 2)?.clone();
    median.faults = Default::default();
    for outcome in &outcomes {
        median.faults.add(outcome.faults);
    }
    median.failures = outcomes.iter().map(|outcome| outcome.failures).sum();
    median.first_failure = outcomes.into_iter().find_map(|outcome| outcome.first_failure);
    Some(median)
}
