//! The workloads over WebSockets in which messages go to and fro.

use std::{rc::Rc, time::Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use super::{
    Outcome, Target, Workload,
    connect::connect_all,
    run::Run,
    talker::{LEAVING, Room, Speech, Talker},
};
use crate::{
    delivery::StreamId,
    pace::{Pace, Pacer},
    wire::socket::Socket,
};

/// How many connect at a time, before measuring.
const AT_ONCE: usize = 50;

/// Runs one of them.
pub(crate) async fn run(
    workload: &Workload,
    target: &Target,
    during: impl Future<Output = Result<()>>,
) -> Result<Outcome> {
    let run = Run::new();
    let talkers = talkers(workload, target, &run).await?;
    let mut tasks = JoinSet::new();
    for talker in talkers {
        tasks.spawn_local(talker.talk());
    }
    let outcome = run.measure(target, during).await?;
    run.leave.notify_waiters();
    tokio::time::timeout(LEAVING, tasks.join_all())
        .await
        .context("clients could not leave")?;
    Ok(outcome)
}

async fn talkers(workload: &Workload, target: &Target, run: &Rc<Run>) -> Result<Vec<Talker>> {
    let sockets = connect_all(target, workload.sockets(), AT_ONCE).await?.sockets;
    match *workload {
        Workload::Echo { clients, pace } => Ok(numbered(sockets)
            .map(|(index, socket)| {
                let speech = Speech::Echo(Pacer::new(pace, index, clients, Instant::now()));
                Talker::new(run, socket, speech, None, target.payload)
            })
            .collect()),
        Workload::Direct { clients, pace } => numbered(sockets)
            .map(|(index, socket)| {
                let stream = stream(index)?;
                let speech = Speech::Direct(Pacer::new(pace, index, clients, Instant::now()), stream);
                let listener = run.listener(vec![stream]);
                Ok(Talker::new(run, socket, speech, Some(listener), target.payload))
            })
            .collect(),
        Workload::FanOut {
            rooms,
            members,
            publishers,
            pace,
        } => {
            let fan_out = FanOut {
                rooms,
                members,
                publishers,
                pace,
            };
            fan_out.talkers(sockets, target, run).await
        }
        Workload::Connect { .. } | Workload::Polling { .. } => Ok(Vec::new()),
    }
}

impl Workload {
    /// How many WebSockets it has.
    fn sockets(&self) -> usize {
        match *self {
            Self::Echo { clients, .. } | Self::Direct { clients, .. } | Self::Connect { clients, .. } => {
                clients
            }
            Self::FanOut {
                rooms,
                members,
                publishers,
                ..
            } => rooms * members + publishers,
            Self::Polling { .. } => 0,
        }
    }
}

fn numbered(sockets: Vec<Socket>) -> impl Iterator<Item = (usize, Socket)> {
    sockets.into_iter().enumerate()
}

fn stream(index: usize) -> Result<StreamId> {
    Ok(StreamId(u32::try_from(index)?))
}

struct FanOut {
    rooms: usize,
    members: usize,
    publishers: usize,
    pace: Pace,
}

impl FanOut {
    /// Room `r` is published to by publisher `r % publishers`, or by every publisher if there are fewer rooms than publishers.
    fn publishers_of(&self, room: usize) -> Vec<usize> {
        if self.rooms >= self.publishers {
            vec![room % self.publishers]
        } else {
            (0..self.publishers)
                .filter(|publisher| publisher % self.rooms == room)
                .collect()
        }
    }

    fn stream(&self, room: usize, publisher: usize) -> Result<StreamId> {
        stream(room * self.publishers + publisher)
    }

    async fn talkers(&self, mut sockets: Vec<Socket>, target: &Target, run: &Rc<Run>) -> Result<Vec<Talker>> {
        ensure!(
            self.rooms > 0 && self.publishers > 0,
            "a fan-out needs a room and a publisher"
        );
        // Rooms are new in each run: members of an earlier one may still be waited for.
        let mark = format!("{}-{}", std::process::id(), self.unique());
        let mut talkers = Vec::with_capacity(sockets.len());
        let members = sockets.split_off(self.publishers);
        for (index, mut socket) in numbered(members) {
            // Members of a room come one after the other, so that they are dealt to different servers.
            let room = index / self.members;
            socket.ask("join", &[&room_name(&mark, room)]).await?;
            let streams = self
                .publishers_of(room)
                .into_iter()
                .map(|publisher| self.stream(room, publisher));
            let listener = run.listener(streams.collect::<Result<_>>()?);
            talkers.push(Talker::new(
                run,
                socket,
                Speech::Nothing,
                Some(listener),
                target.payload,
            ));
        }
        for (publisher, socket) in numbered(sockets) {
            let mut rooms = Vec::new();
            for room in 0..self.rooms {
                if self.publishers_of(room).contains(&publisher) {
                    rooms.push(Room {
                        name: room_name(&mark, room),
                        stream: self.stream(room, publisher)?,
                        members: self.members,
                    });
                }
            }
            let pacer = Pacer::new(self.pace, publisher, self.publishers, Instant::now());
            talkers.push(Talker::new(
                run,
                socket,
                Speech::Publish(pacer, rooms),
                None,
                target.payload,
            ));
        }
        Ok(talkers)
    }

    /// A number that no other run of this process has.
    fn unique(&self) -> u64 {
        use std::sync::atomic::{AtomicU64, Ordering};
        static RUNS: AtomicU64 = AtomicU64::new(0);
        RUNS.fetch_add(1, Ordering::Relaxed)
    }
}

fn room_name(mark: &str, room: usize) -> String {
    format!("bench-{mark}-{room}")
}
