//! Connecting, and being idle.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::task::JoinSet;

use super::{
    Outcome, Target,
    run::{Meter, Run},
    talker::{LEAVING, Speech, Talker},
};
use crate::{latency::Latencies, wire::socket::Socket};

/// How long servers may take to come to rest after a crowd of connects.
const REST: Duration = Duration::from_secs(1);

/// What connecting many gives.
pub(crate) struct Connected {
    /// The sockets, in the order of the servers they were dealt to.
    pub(crate) sockets: Vec<Socket>,
    /// How long each connect took.
    pub(crate) latencies: Latencies,
}

/// Connects `clients`, `at_once` at a time.
pub(crate) async fn connect_all(target: &Target, clients: usize, at_once: usize) -> Result<Connected> {
    let mut tasks = JoinSet::new();
    let target = Rc::new(target.clone());
    for worker in 0..at_once.min(clients) {
        let target = Rc::clone(&target);
        tasks.spawn_local(async move {
            let mut connected = Vec::new();
            for index in (worker..clients).step_by(at_once) {
                let server = target.servers[index % target.servers.len()];
                let began = Instant::now();
                let socket = Socket::connect(server).await?;
                connected.push((index, socket, began.elapsed()));
            }
            anyhow::Ok(connected)
        });
    }
    let mut all = Vec::with_capacity(clients);
    while let Some(joined) = tasks.join_next().await {
        all.extend(joined??);
    }
    all.sort_unstable_by_key(|(index, ..)| *index);
    let mut connected = Connected {
        sockets: Vec::with_capacity(clients),
        latencies: Latencies::default(),
    };
    for (_, socket, latency) in all {
        connected.sockets.push(socket);
        connected.latencies.push(latency);
    }
    Ok(connected)
}

/// Connects, measures that, and then what the servers need while nothing happens.
pub(crate) async fn run(target: &Target, clients: usize, at_once: usize) -> Result<Outcome> {
    let resident_before = target.processes.resident()?;
    let meter = Meter::start(&target.processes)?;
    let connected = connect_all(target, clients, at_once).await?;
    let mut outcome = meter.stop(connected.latencies)?;

    let run = Run::new();
    let mut tasks = JoinSet::new();
    for socket in connected.sockets {
        tasks.spawn_local(Talker::new(&run, socket, Speech::Nothing, None, target.payload).talk());
    }
    tokio::time::sleep(REST).await;
    let resident = target.processes.resident()?.saturating_sub(resident_before);
    outcome.resident_kib = Some(resident as f64 / 1024.0 / clients as f64);
    let at_once = Target {
        warm_up: Duration::ZERO,
        ..target.clone()
    };
    let before = target.processes.cpu()?;
    let began = Instant::now();
    let idle = run.measure(&at_once, async { Ok(()) }).await?;
    let used = target.processes.cpu()?.saturating_sub(before);
    outcome.idle_cpu_millis = Some(used.as_secs_f64() * 1000.0 / began.elapsed().as_secs_f64());
    outcome.failures = idle.failures;
    outcome.first_failure = idle.first_failure;
    run.leave.notify_waiters();
    tokio::time::timeout(LEAVING, tasks.join_all()).await?;
    Ok(outcome)
}
