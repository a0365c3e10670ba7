//! What clients do, and what is measured of it.

mod connect;
mod polling;
mod run;
mod talker;
mod talking;

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use serde::Serialize;

use crate::{delivery::Faults, latency::Percentiles, pace::Pace, process::Processes};

/// What clients do.
#[derive(Clone, Debug)]
pub(crate) enum Workload {
    /// They connect, some at a time, and then stay idle. The unit is a connect.
    Connect {
        /// How many.
        clients: usize,
        /// How many at a time.
        at_once: usize,
    },
    /// They emit `echo` and get an ack. The unit is an ack.
    Echo {
        /// How many.
        clients: usize,
        /// How fast.
        pace: Pace,
    },
    /// They emit `message` and get an event back, for this socket alone. The unit is that event.
    Direct {
        /// How many.
        clients: usize,
        /// How fast.
        pace: Pace,
    },
    /// Some publish to rooms, others hear it. The unit is a delivery.
    FanOut {
        /// How many rooms.
        rooms: usize,
        /// How many members each has; each client is in one room.
        members: usize,
        /// How many publish, in no room themselves, each to its share of the rooms in turn.
        publishers: usize,
        /// How fast those publish.
        pace: Pace,
    },
    /// They emit `echo` and get an ack, all by polling, each request to the next server. The unit is an ack.
    Polling {
        /// How many.
        clients: usize,
    },
}

/// Where a workload goes, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The servers; clients are dealt to them in turn.
    pub(crate) servers: Vec<SocketAddr>,
    /// The processes behind them.
    pub(crate) processes: Processes,
    /// How long to go before measuring.
    pub(crate) warm_up: Duration,
    /// How long to measure.
    pub(crate) measure: Duration,
    /// The length of each message's text in bytes.
    pub(crate) payload: usize,
}

/// What came of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// How many units (see [`Workload`]) were done while measuring.
    pub(crate) units: u64,
    /// How many of them each second.
    pub(crate) per_second: f64,
    /// The CPU time of all servers for each unit, in microseconds.
    pub(crate) server_cpu_micros: f64,
    /// How long a unit took, in milliseconds.
    pub(crate) latency: Percentiles,
    /// What went wrong with messages, also outside of the measured time.
    pub(crate) faults: Faults,
    /// How many clients failed, lost connections included.
    pub(crate) failures: u64,
    /// Why the first of them did.
    pub(crate) first_failure: Option<String>,
    /// How much of one core this program itself used; it has one thread, so near 1 it is the bottleneck.
    pub(crate) own_cpu: f64,
    /// Resident memory of all servers for each connection, in KiB, when it was measured.
    pub(crate) resident_kib: Option<f64>,
    /// CPU time of all servers while all connections were idle, in milliseconds per second, when it was measured.
    pub(crate) idle_cpu_millis: Option<f64>,
}

impl Workload {
    /// Puts this load on `target`. `during` runs beside the measured part, which lasts until both are done.
    pub(crate) async fn run(
        &self,
        target: &Target,
        during: impl Future<Output = Result<()>>,
    ) -> Result<Outcome> {
        match *self {
            Self::Connect { clients, at_once } => connect::run(target, clients, at_once).await,
            Self::Polling { clients } => polling::run(target, clients, during).await,
            _ => talking::run(self, target, during).await,
        }
    }
}
