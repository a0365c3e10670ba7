//! A session that lives on after its owner died.
//!
//! Its replica says how the session was, but not how far its client was told. That the client's own node knows (for a
//! WebSocket), or its next poll shows. Until then the session is dormant: it keeps what comes, and says and does nothing.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use hither_cluster::{Marks, NodeId, Topic};
use hither_engineio::{CloseReason, TransportName};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::{
    env::{Env, Lane},
    history::Place,
    joins::retain_joined,
    polling::Told,
    recovery::before,
    session::{NamespaceSocket, Session, Upper},
    snapshot::topics_of,
};
use crate::{
    outgoing::Outgoing,
    request::{Attachment, RequestId, Served, SocketAddress, StreamId},
};

/// How long a dormant session waits for its socket. Its node reattaches it as soon as it sees the owner gone.
const REATTACH_PATIENCE: Duration = Duration::from_secs(10);

/// Whether a session goes on, or waits for word of how far its client was told.
#[derive(Clone, Debug)]
pub(crate) enum Dormancy {
    Awake,
    AwaitsSocket {
        until: Instant,
    },
    /// Heartbeats end the wait, if the client does not.
    AwaitsPoll(Box<Answered>),
}

/// [`Dormancy`], with what is left of the wait.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum DormancySnapshot {
    Awake,
    AwaitsSocket { left: Duration },
    AwaitsPoll(Box<Answered>),
}

/// How far a client was told by the answers to its polls, in marks: where the session goes next, the log of its dead owner
/// may not be known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// Without the last answer.
    before: Start,
    /// With it.
    after: Start,
}

/// From where on a client is to be told what it missed.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Start {
    /// It was told nothing yet, and missed nothing.
    Beginning,
    After(Served),
    Unknown(Obscurity),
}

/// Why it is not known how far a client was told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, thiserror::Error)]
enum Obscurity {
    #[error("the order of its former owner's log is not known")]
    Log,
    #[error("its client was in the middle of what it was told")]
    Middle,
    #[error("some of what it missed is not kept")]
    Gap,
}

impl Start {
    fn of(told: Told, lane: &Lane) -> Self {
        match told {
            Told::Nothing => Self::Beginning,
            Told::UpTo(Place { position, directs }) => match lane.marks_at(position) {
                Some(marks) => Self::After(Served { marks, directs }),
                None => Self::Unknown(Obscurity::Log),
            },
            Told::Unknown => Self::Unknown(Obscurity::Middle),
        }
    }
}

impl Dormancy {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::AwaitsSocket { until } => Some(*until),
            Self::Awake | Self::AwaitsPoll(_) => None,
        }
    }

    /// The same at any time, to compare it with others.
    pub(super) fn without_times(&self) -> DormancySnapshot {
        match self {
            Self::AwaitsSocket { .. } => DormancySnapshot::AwaitsSocket { left: Duration::ZERO },
            Self::Awake => DormancySnapshot::Awake,
            Self::AwaitsPoll(answered) => DormancySnapshot::AwaitsPoll(answered.clone()),
        }
    }

    pub(super) fn snapshot(&self, now: Instant) -> DormancySnapshot {
        match self {
            Self::Awake => DormancySnapshot::Awake,
            Self::AwaitsSocket { until } => DormancySnapshot::AwaitsSocket {
                left: until.saturating_duration_since(now),
            },
            Self::AwaitsPoll(answered) => DormancySnapshot::AwaitsPoll(answered.clone()),
        }
    }

    pub(super) fn restored(snapshot: DormancySnapshot, now: Instant) -> Self {
        match snapshot {
            DormancySnapshot::Awake => Self::Awake,
            DormancySnapshot::AwaitsSocket { left } => Self::AwaitsSocket { until: now + left },
            DormancySnapshot::AwaitsPoll(answered) => Self::AwaitsPoll(answered),
        }
    }
}

impl NamespaceSocket {
    /// The socket lives in this lane from now on; before, it had been served up to these marks, and told so many events
    /// directly.
    pub(super) fn begin_epoch(&mut self, lane: &Lane, served: &Marks, directs: u64) {
        let floor = self.epochs.served(served);
        let topics: Vec<Topic> = topics_of(self).collect();
        let position = if self.epochs.includes(lane.position().log) {
            // Its client may name any place until now as of when the socket was here before.
            lane.position()
        } else {
            lane.position_before(&floor, &topics)
        };
        self.epochs.begin(Place { position, directs }, floor);
    }
}

impl Session {
    /// The session lives in this lane from now on; before, it had been served up to these marks.
    pub(crate) fn begin_epoch(&mut self, lane: &Lane, served: &Marks) {
        if let Upper::SocketIo(upper) = &mut self.upper {
            for socket in &mut upper.sockets {
                socket.begin_epoch(lane, served, self.history.count());
            }
            self.history.skip();
        }
    }

    /// The session lives on from a replica.
    pub(crate) fn revived(&mut self, env: &mut Env, lane: &mut Lane) {
        self.engine.ping_soon(lane.now());
        match self.engine.transport() {
            Some(TransportName::WebSocket) => {
                self.dormancy = Dormancy::AwaitsSocket {
                    until: lane.now() + REATTACH_PATIENCE,
                };
            }
            Some(TransportName::Polling) => {
                let (before, after) = self.polling.progress.told();
                self.dormancy = Dormancy::AwaitsPoll(Box::new(Answered {
                    before: Start::of(before, lane),
                    after: Start::of(after, lane),
                }));
            }
            // Its clients say how far they got when they come back.
            None => self.begin_epoch(lane, &Marks::default()),
        }
        self.drive(env, lane);
    }

    /// Whether it is not known how far the client was told.
    pub(crate) fn is_dormant(&self) -> bool {
        !matches!(self.dormancy, Dormancy::Awake)
    }

    /// The client polls, which shows how far it was told.
    pub(super) fn wake_for_poll(&mut self, env: &mut Env, lane: &mut Lane, poll: RequestId) {
        if let Dormancy::AwaitsPoll(answered) = &self.dormancy {
            // With the same as before it asks again for the last answer.
            let start = if self.polling.progress.is_last(poll) {
                &answered.before
            } else {
                &answered.after
            };
            self.wake_from(env, lane, start.clone());
        }
    }

    /// The client has had its last poll answered, and goes on by WebSocket.
    pub(super) fn wake_for_upgrade(&mut self, env: &mut Env, lane: &mut Lane) {
        if let Dormancy::AwaitsPoll(answered) = &self.dormancy {
            self.wake_from(env, lane, answered.after.clone());
        }
    }

    fn wake_from(&mut self, env: &mut Env, lane: &mut Lane, start: Start) {
        match start {
            Start::Beginning => {
                self.begin_epoch(lane, &Marks::default());
                self.wake(env, lane, 0, |_, _, _| {});
            }
            Start::After(Served { marks, directs }) => self.wake(env, lane, 0, |session, env, lane| {
                session.catch_up(env, lane, &marks, directs);
            }),
            Start::Unknown(why) => self.end_for_a_gap(why),
        }
    }

    /// The session ends before its client has said how far it was told. It may say so when it comes back.
    pub(super) fn wake_to_end(&mut self, lane: &Lane) {
        if self.is_dormant() {
            self.dormancy = Dormancy::Awake;
            self.begin_epoch(lane, &Marks::default());
        }
    }

    /// Tells the client what it missed, and then what the session had to say meanwhile.
    fn wake(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        next: u64,
        catch_up: impl FnOnce(&mut Self, &mut Env, &mut Lane),
    ) {
        self.dormancy = Dormancy::Awake;
        let mut meanwhile = std::mem::replace(&mut self.outgoing, Outgoing::beginning_at(next));
        catch_up(self, env, lane);
        let (_, frames) = meanwhile.send(usize::MAX);
        self.say(env, lane, frames);
        lane.changed(&self.key);
    }

    /// Better no session than one with a hole: the client may recover, or begins anew.
    fn end_for_a_gap(&mut self, why: Obscurity) {
        info!(session = %self.key, %why, "cannot continue a session without a gap; its client must reconnect");
        self.engine.close(CloseReason::TransportError);
    }

    /// The client was served up to here, and is told now what it missed.
    fn catch_up(&mut self, env: &mut Env, lane: &mut Lane, served: &Marks, directs: u64) {
        let Some(mut missed) = lane.published_after(served, &self.topics()) else {
            return self.end_for_a_gap(Obscurity::Gap);
        };
        self.begin_epoch(lane, served);
        let position = before(&missed.entries, lane);
        if let Upper::SocketIo(upper) = &self.upper {
            retain_joined(&upper.sockets, lane, &mut missed);
        }
        let published = missed
            .before
            .iter()
            .chain(missed.entries.iter().map(|entry| &entry.publication));
        let known: HashSet<(NodeId, u64)> = published.map(|one| (one.origin.clone(), one.number)).collect();
        for (socket, telling) in self.history.take_after(directs) {
            if !telling.published.as_ref().is_some_and(|id| known.contains(id)) {
                self.tell_at(env, lane, position, &socket, telling);
            }
        }
        self.hear_missed(env, lane, position, &missed);
        if !missed.before.is_empty() {
            // No position in the log stands for what came before it: from here on it counts as served.
            let mut served = lane.marks().clone();
            for publication in &missed.before {
                served.advance(&publication.origin, publication.number);
            }
            self.begin_epoch(lane, &served);
        }
    }

    /// The socket did not say in time how far its client was served.
    pub(super) fn expire_dormancy(&mut self, now: Instant) {
        if let Dormancy::AwaitsSocket { until } = self.dormancy
            && until <= now
        {
            self.lose_socket();
        }
    }

    fn lose_socket(&mut self) {
        self.socket = None;
        self.engine.websocket_closed();
    }

    /// A socket has found the session, which goes on with the stream that is returned. None if the socket is not its own
    /// any more.
    pub(crate) fn reattached(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        address: &SocketAddress,
        attachment: Attachment,
    ) -> Option<StreamId> {
        let socket = self.socket.as_mut().filter(|socket| socket.address == *address)?;
        if self.engine.close_reason().is_some() {
            return None;
        }
        self.heard_at = lane.now();
        if self.engine.transport() == Some(TransportName::WebSocket) {
            let Attachment {
                stream,
                next,
                served,
                otherwise,
            } = attachment;
            let is_known = socket.stream == stream && matches!(self.dormancy, Dormancy::Awake);
            match (is_known, next, served) {
                (true, next, _) => {
                    self.outgoing.acknowledge(next.unwrap_or(0));
                    self.resume_socket();
                }
                (false, Some(next), Some(served)) => {
                    socket.stream = otherwise;
                    if !self.is_dormant() {
                        // Another copy went on meanwhile: what this one said is in the logs, or is lost.
                        self.outgoing = Outgoing::default();
                        self.engine.ping_soon(lane.now());
                    }
                    self.wake(env, lane, next, |session, env, lane| {
                        session.catch_up(env, lane, &served.marks, served.directs);
                    });
                }
                (false, ..) => {
                    info!(session = %self.key, "unknown how far the client was served; it must reconnect");
                    self.lose_socket();
                }
            }
            self.arrived(env, lane);
        }
        let is_open = self.engine.close_reason().is_none();
        self.socket
            .as_ref()
            .filter(|_| is_open)
            .map(|socket| socket.stream)
    }
}
