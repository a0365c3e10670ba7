//! How the standby of a session is kept up to date: once with all of it, and then with what has changed.
//!
//! What a change costs is its own size, however large the session is: what grows (calls that are due, events that were told,
//! half a packet, rooms, acks) is told by what was added and what is gone, and what is small only when it differs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hither_cluster::{Change, fingerprint};
use hither_engineio::{self as engineio, TransportName};
use hither_socketio::{AckId, ConnectionDelta, ConnectionMark, Json, SocketId};
use serde::{Deserialize, Serialize};

use super::{
    history::{HistoryDelta, HistoryMark, Place},
    jobs::{JobsDelta, JobsMark},
    polling::{Progress, Pushes},
    revival::DormancySnapshot,
    session::{NamespaceSocket, Session, SessionSocket, Upper},
    shared::Shared,
    snapshot::{SessionSnapshot, SocketCore, SocketSnapshot, UpperSnapshot},
};
use crate::{
    request::{SocketAddress, StreamId},
    room::Room,
};

/// What the standby has been told of a session.
#[derive(Debug, Default)]
pub(crate) struct Mark {
    /// Of [`Slow`], apart from times.
    slow: u64,
    connection: ConnectionMark,
    sockets: BTreeMap<SocketId, SocketMark>,
    jobs: JobsMark,
    history: HistoryMark,
}

/// What the standby has been told of a socket.
#[derive(Debug, Default)]
struct SocketMark {
    /// Of [`SocketCore`], apart from times.
    core: u64,
    data: Option<Bytes>,
    joins: Arc<BTreeMap<Room, Place>>,
    acks: BTreeSet<AckId>,
}

/// What has changed of a session since its standby was last told.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SessionDelta {
    progress: InputProgress,
    slow: Option<Slow>,
    connection: Option<ConnectionDelta>,
    gone: Vec<SocketId>,
    sockets: Vec<SocketDelta>,
    jobs: JobsDelta,
    history: HistoryDelta,
}

/// What changes with nearly everything that a client says.
#[derive(Clone, Serialize, Deserialize)]
struct InputProgress {
    /// The number of the next frame of the session's socket.
    next_frame: u64,
    /// While it polls.
    polling: Option<(Progress, Pushes)>,
    is_owed: bool,
    silent_for: Duration,
}

/// What seldom changes.
#[derive(Clone, Serialize, Deserialize)]
struct Slow {
    engine: engineio::SessionSnapshot,
    address: Option<(SocketAddress, StreamId)>,
    dormancy: DormancySnapshot,
}

/// What has changed of a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SocketDelta {
    id: SocketId,
    core: Option<SocketCore>,
    data: Option<Option<Bytes>>,
    joined: Vec<(Room, Place)>,
    left: Vec<Room>,
    asked: Vec<(AckId, (Json, Duration))>,
    answered: Vec<AckId>,
}

impl SessionDelta {
    /// Whether the session hears other topics with this.
    pub(super) fn changes_topics(&self) -> bool {
        let differs = |socket: &SocketDelta| {
            socket.core.is_some() || !socket.joined.is_empty() || !socket.left.is_empty()
        };
        !self.gone.is_empty() || self.sockets.iter().any(differs)
    }
}

impl SocketDelta {
    fn is_empty(&self) -> bool {
        self.core.is_none()
            && self.data.is_none()
            && self.joined.is_empty()
            && self.left.is_empty()
            && self.asked.is_empty()
            && self.answered.is_empty()
    }
}

impl Session {
    /// All of the session for its standby, which is told from now on what changes.
    pub(super) fn whole_replica(&mut self, shared: &Shared, now: Instant) -> Option<SessionSnapshot> {
        let snapshot = self.replica(shared, now)?;
        let mut mark = Mark {
            slow: self.slow_fingerprint(now),
            jobs: self.jobs.mark(),
            history: self.history.mark(),
            ..Mark::default()
        };
        if let Upper::SocketIo(upper) = &self.upper {
            mark.connection = upper.connection.mark();
            mark.sockets = upper
                .sockets
                .iter()
                .map(|socket| (socket.id.clone(), socket.mark(now)))
                .collect();
        }
        self.mark = Some(Box::new(mark));
        Some(snapshot)
    }

    /// What has changed since the standby was last told. Nothing if nothing has that it must know: what the client has said and
    /// what changed nothing need not be known, unless it `must_know` all of it now.
    pub(super) fn changes(&mut self, now: Instant, must_know: bool) -> Change<SessionDelta> {
        let Some(mut mark) = self.mark.take() else {
            return Change::Whole;
        };
        let print = self.slow_fingerprint(now);
        let slow = (std::mem::replace(&mut mark.slow, print) != print).then(|| self.slow(now));
        let (mut connection, mut gone, mut sockets) = (None, Vec::new(), Vec::new());
        let mut is_change = slow.is_some();
        if let Upper::SocketIo(upper) = &self.upper {
            let delta = upper.connection.changes_since(&mut mark.connection, now);
            is_change |= !delta.is_empty();
            connection = Some(delta);
            let is_here = |id: &SocketId| upper.sockets.iter().any(|socket| socket.id == *id);
            gone.extend(
                mark.sockets
                    .extract_if(.., |id, _| !is_here(id))
                    .map(|(id, _)| id),
            );
            for socket in &upper.sockets {
                let known = mark.sockets.entry(socket.id.clone()).or_default();
                let delta = socket.changes_since(known, now);
                sockets.extend((!delta.is_empty()).then_some(delta));
            }
        }
        let history = self.history.changes_since(mark.history);
        is_change |= !(gone.is_empty() && sockets.is_empty() && history.is_empty(mark.history));
        if !(is_change || must_know) {
            self.mark = Some(mark);
            return Change::None;
        }
        let at_work = self.running_job();
        let jobs = self.jobs.changes_since(mark.jobs, at_work);
        mark.jobs = self.jobs.mark();
        mark.history = self.history.mark();
        self.mark = Some(mark);
        Change::Delta(SessionDelta {
            progress: self.input_progress(now),
            slow,
            connection,
            gone,
            sockets,
            jobs,
            history,
        })
    }

    fn slow(&self, now: Instant) -> Slow {
        Slow {
            engine: self.engine.snapshot(now),
            address: self
                .socket
                .as_ref()
                .map(|socket| (socket.address.clone(), socket.stream)),
            dormancy: self.dormancy.snapshot(now),
        }
    }

    /// The same for what is the same at different times.
    fn slow_fingerprint(&self, now: Instant) -> u64 {
        let slow = self.slow(now);
        fingerprint(&Slow {
            engine: slow.engine.without_times(),
            dormancy: self.dormancy.without_times(),
            ..slow
        })
    }

    fn input_progress(&self, now: Instant) -> InputProgress {
        let polls = self.engine.transport() != Some(TransportName::WebSocket);
        InputProgress {
            next_frame: self.socket.as_ref().map_or(0, |socket| socket.next),
            polling: polls.then(|| (self.polling.progress.clone(), self.polling.pushes.clone())),
            is_owed: self.commitment.is_owed(),
            silent_for: now.saturating_duration_since(self.heard_at),
        }
    }
}

impl NamespaceSocket {
    fn mark(&self, now: Instant) -> SocketMark {
        SocketMark {
            core: fingerprint(&self.core(now).without_times()),
            data: self.saved.clone(),
            joins: self.joins.places().clone(),
            acks: self.acks.keys().copied().collect(),
        }
    }

    fn changes_since(&self, mark: &mut SocketMark, now: Instant) -> SocketDelta {
        let core = self.core(now);
        let print = fingerprint(&core.without_times());
        let core = (std::mem::replace(&mut mark.core, print) != print).then_some(core);
        let data = (mark.data != self.saved).then(|| self.saved.clone());
        if data.is_some() {
            mark.data.clone_from(&self.saved);
        }
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        let places = self.joins.places();
        if !Arc::ptr_eq(&mark.joins, places) {
            let is_new = |(room, place): &(&Room, &Place)| mark.joins.get(*room) != Some(*place);
            joined.extend(
                places
                    .iter()
                    .filter(is_new)
                    .map(|(room, place)| (room.clone(), *place)),
            );
            left.extend(
                mark.joins
                    .keys()
                    .filter(|room| !places.contains_key(*room))
                    .cloned(),
            );
            mark.joins = places.clone();
        }
        // Ids only grow.
        let newest = mark.acks.last().copied();
        let asked: Vec<_> = self.awaited(|id| Some(id) > newest, now).collect();
        let answered: Vec<AckId> = mark
            .acks
            .extract_if(.., |id| !self.acks.contains_key(id))
            .collect();
        mark.acks.extend(asked.iter().map(|(id, _)| *id));
        SocketDelta {
            id: self.id.clone(),
            core,
            data,
            joined,
            left,
            asked,
            answered,
        }
    }
}

impl SessionSnapshot {
    /// Brings a replica up to date.
    pub(super) fn apply(&mut self, delta: SessionDelta) {
        let InputProgress {
            next_frame,
            polling,
            is_owed,
            silent_for,
        } = delta.progress;
        self.is_owed = is_owed;
        self.silent_for = silent_for;
        if let Some((polled, pushes)) = polling {
            (self.polled, self.pushes) = (polled, pushes);
        }
        if let Some(Slow {
            engine,
            address,
            dormancy,
        }) = delta.slow
        {
            self.engine = engine;
            self.dormancy = dormancy;
            self.socket = address.map(|(address, stream)| SessionSocket {
                address,
                stream,
                next: 0,
            });
        }
        if let Some(socket) = &mut self.socket {
            socket.next = next_frame;
        }
        delta.jobs.apply(&mut self.jobs);
        self.history.apply(delta.history);
        if let UpperSnapshot::SocketIo { connection, sockets } = &mut self.upper {
            if let Some(delta) = delta.connection {
                connection.apply(delta);
            }
            sockets.retain(|socket| !delta.gone.contains(&socket.id));
            for delta in delta.sockets {
                match sockets.iter_mut().find(|socket| socket.id == delta.id) {
                    Some(socket) => socket.apply(delta),
                    None => {
                        // One that is new is told with all of it.
                        if let Some(core) = delta.core.clone() {
                            let mut socket = SocketSnapshot::begin(delta.id.clone(), core);
                            socket.apply(delta);
                            sockets.push(socket);
                        }
                    }
                }
            }
        }
    }
}

impl SocketSnapshot {
    fn apply(&mut self, delta: SocketDelta) {
        let SocketDelta {
            id: _,
            core,
            data,
            joined,
            left,
            asked,
            answered,
        } = delta;
        if let Some(core) = core {
            self.core = core;
        }
        if let Some(data) = data {
            self.data = data;
        }
        self.joins.retain(|room, _| !left.contains(room));
        self.joins.extend(joined);
        self.acks.retain(|id, _| !answered.contains(id));
        self.acks.extend(asked);
    }
}
