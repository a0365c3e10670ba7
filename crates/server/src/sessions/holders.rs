//! Which session has a socket. One, while the members agree; but after a partition a copy of its former session may still
//! wait for a client that has long come back on the other side.

use std::time::{Duration, Instant};

use hither_cluster::Key;
use hither_socketio::{RecoveryId, SocketId};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::{
    LaneEvent, Sessions,
    env::{Env, Lane},
    query::Question,
    session::{NamespaceSocket, Session, Upper},
};
use crate::io::Io;

/// How long after a partition copies may still find that their clients are away: those that wait for a socket do so soon,
/// those that wait for a heartbeat later.
const SEARCH: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile where the clients are.
const SEARCH_AGAIN: Duration = Duration::from_secs(2);

/// Nodes that had lost each other are together again, and clients are looked for that are away here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    next: Instant,
    until: Instant,
}

impl Search {
    pub(super) fn beginning(now: Instant) -> Self {
        Self {
            next: now,
            until: now + SEARCH,
        }
    }
}

/// A session that has a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) session: Key,
    recovery: RecoveryId,
    right: Right,
}

/// What speaks for a session that has a socket; of two the greater has it rightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Right {
    /// How often the client had come back to the socket when the session got it.
    returns: u32,
    /// Whether the client is there.
    attached: bool,
}

#[cfg(test)]
impl Holder {
    pub(super) fn example(session: &str) -> Self {
        Self {
            session: Key::from(session),
            recovery: super::recovery::new_recovery_id(&Key::from(session)),
            right: Right {
                returns: 0,
                attached: true,
            },
        }
    }
}

impl NamespaceSocket {
    fn right(&self) -> Right {
        Right {
            returns: self.returns,
            attached: self.away.is_none(),
        }
    }
}

impl Session {
    fn sockets(&self) -> &[NamespaceSocket] {
        match &self.upper {
            Upper::SocketIo(upper) => &upper.sockets,
            Upper::EngineIo => &[],
        }
    }

    /// Another session has this socket rightly: nobody is told that it goes here.
    pub(super) fn superseded(&mut self, env: &mut Env, lane: &mut Lane, id: &SocketId) {
        let is_away = |socket: &NamespaceSocket| socket.id == *id && socket.away.is_some();
        if self.sockets().iter().any(is_away) {
            info!(session = %self.key, socket = %id, "its client returned elsewhere; this copy is discarded");
            self.part_with(env, lane, id);
            self.drive(env, lane);
        }
    }
}

impl Holder {
    /// The one that has the socket rightly.
    pub(crate) fn rightful(holders: Vec<Self>) -> Option<Self> {
        holders.into_iter().max_by_key(|holder| holder.right)
    }
}

impl Sessions {
    /// The sessions of this lane that have these sockets.
    pub(super) fn holders_of(&self, wanted: &[RecoveryId]) -> Vec<Holder> {
        let mut holders = Vec::new();
        for recovery in wanted {
            let slots = self.env.holders_of(recovery).iter();
            for session in slots.filter_map(|slot| self.slots.get(*slot)) {
                let holds = |socket: &&NamespaceSocket| socket.recovery.as_ref() == Some(recovery);
                holders.extend(session.sockets().iter().find(holds).map(|socket| Holder {
                    session: session.key.clone(),
                    recovery: recovery.clone(),
                    right: socket.right(),
                }));
            }
        }
        holders
    }

    /// After a partition, the clients that are away here may be there on the other side.
    pub(super) fn search(&mut self, lane: &Lane) {
        let now = lane.now();
        if self.env.search.take_if(|search| search.until <= now).is_none()
            && let Some(search) = &mut self.env.search
            && search.next <= now
        {
            search.next = now + SEARCH_AGAIN;
            self.look_for_the_away(lane);
        }
    }

    fn look_for_the_away(&self, lane: &Lane) {
        let sessions = self.slots.iter().map(|(_, session)| session);
        let away: Vec<(Key, SocketId, RecoveryId, Right)> = sessions
            .flat_map(|session| {
                let away = session.sockets().iter().filter(|socket| socket.away.is_some());
                away.filter_map(|socket| {
                    let recovery = socket.recovery.clone()?;
                    Some((session.key.clone(), socket.id.clone(), recovery, socket.right()))
                })
            })
            .collect();
        if away.is_empty() {
            return;
        }
        let (io, handle) = (Io::new(lane.cluster(), self.env.shared.clone()), lane.handle());
        // Ends with the query, which has a deadline.
        tokio::spawn(async move {
            let wanted = away.iter().map(|(_, _, recovery, _)| recovery.clone()).collect();
            let holders = io.holders(Question::Holds(wanted)).await;
            for (session, socket, recovery, right) in away {
                let is_better = |holder: &Holder| holder.recovery == recovery && holder.right > right;
                if holders.iter().any(is_better) {
                    handle.send(LaneEvent::SocketSuperseded { session, socket });
                }
            }
        });
    }
}
