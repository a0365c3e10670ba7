//! The fixed set of workloads.

use clap::ValueEnum;

use super::systems::Kind;
use crate::{pace::Pace, workload::Workload};

/// Names a workload of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Connecting, and being idle.
    Connect,
    /// Echo with ack.
    Echo,
    /// One room.
    OneRoom,
    /// Many rooms.
    ManyRooms,
    /// Rooms at a low rate.
    Calm,
    /// A room for each user.
    Private,
    /// Events to one socket.
    Direct,
    /// Echo by polling.
    Polling,
    /// Echo at a fixed rate.
    EchoRate,
    /// The same while a node joins and leaves.
    Moves,
}

/// A workload of the set.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) work: Work,
    /// What it is, for the report.
    pub(crate) title: String,
    /// What clients do.
    pub(crate) workload: Workload,
    /// Whether a node joins and leaves meanwhile.
    pub(crate) moves: bool,
}

impl Case {
    /// All of them; with few clients for a `smoke` test.
    pub(crate) fn all(smoke: bool) -> Vec<Self> {
        let few = |count: usize| if smoke { count.div_ceil(20) } else { count };
        let acks = Pace::Acks { window: 1 };
        let per_second = |rate: usize| Pace::Rate {
            per_second: few(rate) as f64,
        };
        let crowd = few(1000);
        let talkers = few(100);
        let publishers = few(20);
        vec![
            Self::new(
                Work::Connect,
                format!("connect by WebSocket, {} clients, 50 at a time", few(4000)),
                Workload::Connect {
                    clients: few(4000),
                    at_once: 50,
                },
            ),
            Self::new(
                Work::Echo,
                format!("echo with ack, {talkers} clients, as fast as acks come"),
                Workload::Echo {
                    clients: talkers,
                    pace: acks,
                },
            ),
            Self::new(
                Work::OneRoom,
                format!("delivery, {crowd} in one room, 4 publishers, as fast as acks come"),
                Workload::FanOut {
                    rooms: 1,
                    members: crowd,
                    publishers: 4,
                    pace: acks,
                },
            ),
            Self::new(
                Work::ManyRooms,
                format!("delivery, {talkers} rooms × 10, {publishers} publishers, as fast as acks come"),
                Workload::FanOut {
                    rooms: talkers,
                    members: 10,
                    publishers,
                    pace: acks,
                },
            ),
            Self::new(
                Work::Calm,
                format!(
                    "delivery, calm: {} publications/s in 10 rooms × {talkers}",
                    few(200)
                ),
                Workload::FanOut {
                    rooms: 10,
                    members: talkers,
                    publishers,
                    pace: per_second(200),
                },
            ),
            Self::new(
                Work::Private,
                format!("delivery, {crowd} private rooms, {publishers} publishers, as fast as acks come"),
                Workload::FanOut {
                    rooms: crowd,
                    members: 1,
                    publishers,
                    pace: acks,
                },
            ),
            Self::new(
                Work::Direct,
                format!("direct event, {talkers} clients, as fast as they come back"),
                Workload::Direct {
                    clients: talkers,
                    pace: acks,
                },
            ),
            Self::new(
                Work::Polling,
                format!("echo by polling, {talkers} clients, each request to the next node"),
                Workload::Polling { clients: talkers },
            ),
            Self::new(
                Work::EchoRate,
                format!("echo with ack, {crowd} clients, {} per second", few(2000)),
                Workload::Echo {
                    clients: crowd,
                    pace: per_second(2000),
                },
            ),
            Self {
                moves: true,
                ..Self::new(
                    Work::Moves,
                    format!(
                        "the same while a fourth node joins and leaves, {} per second",
                        few(2000)
                    ),
                    Workload::Echo {
                        clients: crowd,
                        pace: per_second(2000),
                    },
                )
            },
        ]
    }

    fn new(work: Work, title: String, workload: Workload) -> Self {
        Self {
            work,
            title,
            workload,
            moves: false,
        }
    }

    /// Whether this can run on a system: only a cluster of Hither's takes nodes in, and polls of one client anywhere.
    pub(crate) fn is_for(&self, kind: Kind) -> bool {
        match self.work {
            Work::Moves => kind.is_cluster_of_hither(),
            Work::Polling => kind.is_cluster_of_hither() || kind.processes() == 1,
            _ => true,
        }
    }

    /// Whether the workload's units are measured against latency alone, for the servers do something else, too.
    pub(crate) fn is_about_latency(&self) -> bool {
        self.moves
    }
}
