//! All that a session needs to live on another node.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hither_cluster::{Key, Topic};
use hither_engineio as engineio;
use hither_socketio::{
    AckId, Connection, ConnectionSnapshot, DisconnectReason, Json, NamespaceName, RecoveryId, SocketId,
};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{
    cause::Cause,
    commitment::Commitment,
    env::{Env, Lane, Slot},
    epochs::Epochs,
    history::{History, Place},
    joins::Joins,
    polling::{Polling, Progress},
    recovery::Away,
    revival::{Dormancy, DormancySnapshot},
    session::{AwaitedAck, NamespaceSocket, Session, SessionSocket, SocketIo, Upper},
    shared::{Service, Shared},
};
use crate::{
    handshake::Handshake,
    job::Job,
    namespace::DataError,
    outgoing::Outgoing,
    presence::Person,
    request::{RequestId, ServiceIndex},
    room::{Room, topic},
};

/// A session at rest, on its way to another node.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SessionSnapshot {
    service: ServiceIndex,
    opened_by: RequestId,
    handshake: Handshake,
    engine: engineio::SessionSnapshot,
    outgoing: Outgoing,
    /// Whether some of that is not to go before the standby knows how the session is.
    is_owed: bool,
    polled: Progress,
    pushes: VecDeque<RequestId>,
    socket: Option<SessionSocket>,
    upper: UpperSnapshot,
    jobs: VecDeque<Job>,
    /// How long nothing had been heard from the client.
    silent_for: Duration,
    history: History,
    dormancy: DormancySnapshot,
}

#[derive(Clone, Serialize, Deserialize)]
enum UpperSnapshot {
    SocketIo {
        connection: ConnectionSnapshot,
        sockets: Vec<SocketSnapshot>,
    },
    EngineIo,
}

/// A socket in one namespace, at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SocketSnapshot {
    namespace: NamespaceName,
    id: SocketId,
    data: Option<Bytes>,
    rooms: BTreeSet<Room>,
    joins: Joins,
    listening: bool,
    acks: Vec<(AckId, Json, Duration)>,
    card: Option<Json>,
    person: Option<Arc<Person>>,
    returns: u32,
    recovery: Option<RecoveryId>,
    since: Place,
    epochs: Epochs,
    away: Option<AwaySnapshot>,
}

/// [`Away`], with what is left until its points in time.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AwaySnapshot {
    reason: DisconnectReason,
    tell_in: Option<Duration>,
    left: Duration,
}

/// A session that cannot live on this node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error("this node has no service number {}", .0.0)]
    NoService(ServiceIndex),
    #[error("this node has no namespace {0}")]
    NoNamespace(NamespaceName),
    #[error("in namespace {namespace}: {source}")]
    Data {
        namespace: NamespaceName,
        source: DataError,
    },
}

impl Session {
    /// The topics that its sockets hear.
    pub(crate) fn topics(&self) -> Vec<Topic> {
        let Upper::SocketIo(upper) = &self.upper else {
            return Vec::new();
        };
        upper.sockets.iter().flat_map(topics_of).collect()
    }

    /// Which of two copies of a session is to go on: that to which the client is attached, of two such the one that has
    /// heard from it last.
    pub(crate) fn standing(&self, now: Instant) -> Standing {
        Standing {
            attached: self.engine.close_reason().is_none(),
            awake: !self.is_dormant(),
            silent_for: Reverse(now.saturating_duration_since(self.heard_at)),
        }
    }

    /// What the standby is to keep: as a snapshot, and a handler at work counts as not begun.
    pub(crate) fn replica(&self, shared: &Shared, now: Instant) -> Option<SessionSnapshot> {
        let mut snapshot = match self.snapshot(shared, now) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                warn!(session = %self.key, %error, "a session has no replica");
                return None;
            }
        };
        if let Some(job) = self.running_job().filter(|job| !is_asked_again(job)) {
            snapshot.jobs.push_front(job.clone());
        }
        // What it had to say is told again from the log and the history, once the client has said how far it got.
        snapshot.outgoing = Outgoing::default();
        Some(snapshot)
    }

    /// Takes what is needed to go on elsewhere. The session must be at rest.
    pub(crate) fn snapshot(&self, shared: &Shared, now: Instant) -> Result<SessionSnapshot, RestoreError> {
        let upper = match &self.upper {
            Upper::EngineIo => UpperSnapshot::EngineIo,
            Upper::SocketIo(upper) => UpperSnapshot::SocketIo {
                connection: upper.connection.snapshot(now),
                sockets: upper
                    .sockets
                    .iter()
                    .map(|socket| socket.snapshot(shared, self.service, now))
                    .collect::<Result<_, _>>()?,
            },
        };
        Ok(SessionSnapshot {
            service: self.service,
            opened_by: self.opened_by,
            handshake: Handshake::clone(&self.handshake),
            engine: self.engine.snapshot(now),
            outgoing: self.outgoing.clone(),
            is_owed: self.commitment.is_owed(),
            polled: self.polling.progress.clone(),
            pushes: self.polling.pushes.clone(),
            socket: self.socket.clone(),
            upper,
            jobs: self
                .jobs
                .iter()
                .filter(|job| !is_asked_again(job))
                .cloned()
                .collect(),
            silent_for: now.saturating_duration_since(self.heard_at),
            history: self.history.clone(),
            dormancy: self.dormancy.snapshot(now),
        })
    }

    /// Goes on from a snapshot. It hears its topics once [`listen_again`](Self::listen_again) is called.
    pub(crate) fn restore(
        key: Key,
        slot: Slot,
        snapshot: SessionSnapshot,
        shared: &Shared,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        let upper = match snapshot.upper {
            UpperSnapshot::EngineIo => Upper::EngineIo,
            UpperSnapshot::SocketIo { connection, sockets } => Upper::SocketIo(SocketIo {
                connection: Connection::restore(connection, now),
                sockets: sockets
                    .into_iter()
                    .map(|socket| socket.restore(shared, snapshot.service, now))
                    .collect::<Result<_, _>>()?,
            }),
        };
        let jobs_bytes = snapshot.jobs.iter().map(Job::cost).sum();
        let mut session = Self {
            input: Cause::of_push(&key, snapshot.opened_by),
            cause: Cause::of_push(&key, snapshot.opened_by),
            key,
            slot,
            service: snapshot.service,
            opened_by: snapshot.opened_by,
            handshake: Arc::new(snapshot.handshake),
            engine: engineio::Session::restore(snapshot.engine, now),
            #[cfg(not(feature = "fault-injection"))]
            outgoing: snapshot.outgoing,
            #[cfg(feature = "fault-injection")]
            outgoing: snapshot.outgoing.moved(),
            commitment: Commitment::restored(snapshot.is_owed),
            polling: Polling::restored(snapshot.polled, snapshot.pushes),
            socket: snapshot.socket,
            upper,
            jobs: snapshot.jobs,
            jobs_bytes,
            held: None,
            running: None,
            applications: VecDeque::new(),
            moving: false,
            frozen: false,
            dirty: false,
            scheduled: None,
            heard_at: now.checked_sub(snapshot.silent_for).unwrap_or(now),
            history: snapshot.history,
            claims: Vec::new(),
            recovery_failed: false,
            held_topics: Vec::new(),
            dormancy: Dormancy::restored(snapshot.dormancy, now),
        };
        session.resume_socket();
        session.relocated();
        Ok(session)
    }

    /// A restored session hears its topics again.
    pub(crate) fn listen_again(&self, env: &mut Env, lane: &mut Lane) {
        for topic in self.topics() {
            // In force already: the handoff has prepared it.
            env.listen(lane, &topic, self.slot);
        }
        if let Upper::SocketIo(upper) = &self.upper {
            let listening = upper.sockets.iter().filter(|socket| socket.listening);
            for recovery in listening.filter_map(|socket| socket.recovery.as_ref()) {
                env.recoverable(recovery, self.slot);
            }
        }
    }
}

impl SessionSnapshot {
    /// The topics that its sockets hear.
    pub(crate) fn topics(&self) -> Vec<Topic> {
        let UpperSnapshot::SocketIo { sockets, .. } = &self.upper else {
            return Vec::new();
        };
        let listening = sockets.iter().filter(|socket| socket.listening);
        listening
            .flat_map(|socket| {
                let rooms = socket
                    .rooms
                    .iter()
                    .map(|room| topic(&socket.namespace, Some(room)));
                std::iter::once(topic(&socket.namespace, None)).chain(rooms)
            })
            .collect()
    }

    /// See [`Session::standing`].
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            attached: !self.engine.is_closed(),
            awake: matches!(self.dormancy, DormancySnapshot::Awake),
            silent_for: Reverse(self.silent_for),
        }
    }
}

/// How a copy of a session stands against another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Standing {
    attached: bool,
    awake: bool,
    silent_for: Reverse<Duration>,
}

/// Whether the restored connection asks for this by itself: a CONNECT that has no answer yet.
fn is_asked_again(job: &Job) -> bool {
    matches!(job, Job::Connect { .. })
}

/// The topics that a socket hears.
pub(crate) fn topics_of(socket: &NamespaceSocket) -> impl Iterator<Item = Topic> {
    let rooms = socket
        .rooms
        .iter()
        .map(|room| topic(&socket.namespace, Some(room)));
    std::iter::once(topic(&socket.namespace, None))
        .chain(rooms)
        .filter(|_| socket.listening)
}

impl NamespaceSocket {
    pub(crate) fn snapshot(
        &self,
        shared: &Shared,
        service: ServiceIndex,
        now: Instant,
    ) -> Result<SocketSnapshot, RestoreError> {
        let handler = handler(shared, service, &self.namespace)?;
        // What a handler has at present, it had been saved before.
        let data = match &self.data {
            Some(data) => handler.save(data).map(Some),
            None => Ok(self.saved.clone()),
        };
        Ok(SocketSnapshot {
            namespace: self.namespace.clone(),
            id: self.id.clone(),
            data: data.map_err(|source| RestoreError::Data {
                namespace: self.namespace.clone(),
                source,
            })?,
            rooms: BTreeSet::clone(&self.rooms),
            joins: self.joins.clone(),
            listening: self.listening,
            card: self.card.clone(),
            person: self.person.clone(),
            returns: self.returns,
            recovery: self.recovery.clone(),
            since: self.since,
            epochs: self.epochs.clone(),
            away: self.away.as_ref().map(|away| AwaySnapshot {
                reason: away.reason,
                tell_in: away.tell_at.map(|at| at.saturating_duration_since(now)),
                left: away.until.saturating_duration_since(now),
            }),
            acks: self
                .acks
                .iter()
                .map(|(id, awaited)| {
                    (
                        *id,
                        awaited.context.clone(),
                        awaited.overdue.saturating_duration_since(now),
                    )
                })
                .collect(),
        })
    }
}

impl NamespaceSocket {
    /// Saves the data that a handler gave back. Says whether it has changed.
    pub(crate) fn save(&mut self, shared: &Shared, service: ServiceIndex) -> bool {
        let (Some(data), Ok(handler)) = (&self.data, handler(shared, service, &self.namespace)) else {
            return false;
        };
        match handler.save(data) {
            Ok(saved) if self.saved.as_ref() == Some(&saved) => false,
            Ok(saved) => {
                self.saved = Some(saved);
                true
            }
            Err(error) => {
                warn!(namespace = %self.namespace, %error, "a socket's data cannot be kept by its standby");
                false
            }
        }
    }
}

impl SocketSnapshot {
    pub(crate) fn id(&self) -> &SocketId {
        &self.id
    }

    pub(crate) fn namespace(&self) -> &NamespaceName {
        &self.namespace
    }

    pub(crate) fn restore(
        self,
        shared: &Shared,
        service: ServiceIndex,
        now: Instant,
    ) -> Result<NamespaceSocket, RestoreError> {
        let handler = handler(shared, service, &self.namespace)?;
        let data = self.data.as_ref().map(|data| handler.load(data)).transpose();
        let acks: BTreeMap<_, _> = self
            .acks
            .into_iter()
            .map(|(id, context, left)| {
                (
                    id,
                    AwaitedAck {
                        context,
                        overdue: now + left,
                    },
                )
            })
            .collect();
        Ok(NamespaceSocket {
            data: data.map_err(|source| RestoreError::Data {
                namespace: self.namespace.clone(),
                source,
            })?,
            saved: self.data,
            namespace: self.namespace,
            id: self.id,
            rooms: Arc::new(self.rooms),
            joins: self.joins,
            listening: self.listening,
            acks,
            card: self.card,
            person: self.person,
            shown: None,
            returns: self.returns,
            recovery: self.recovery,
            since: self.since,
            epochs: self.epochs,
            away: self.away.map(|away| Away {
                reason: away.reason,
                tell_at: away.tell_in.map(|left| now + left),
                until: now + away.left,
            }),
        })
    }
}

fn handler<'a>(
    shared: &'a Shared,
    service: ServiceIndex,
    namespace: &NamespaceName,
) -> Result<&'a Arc<dyn crate::namespace::AnyNamespace>, RestoreError> {
    match shared.service(service) {
        Some(Service::SocketIo(namespaces)) => namespaces
            .get(namespace)
            .ok_or_else(|| RestoreError::NoNamespace(namespace.clone())),
        _ => Err(RestoreError::NoService(service)),
    }
}
