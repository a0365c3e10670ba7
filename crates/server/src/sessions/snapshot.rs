//! All that a session needs to live on another node.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
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
    budget::Budget,
    cause::Cause,
    commitment::Commitment,
    env::{Env, Lane, Slot},
    epochs::Epochs,
    history::{History, Place},
    inbox::Inbox,
    jobs::JobQueue,
    joins::Joins,
    polling::{Polling, Progress, Pushes},
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
    pub(super) engine: engineio::SessionSnapshot,
    outgoing: Outgoing,
    /// Whether some of that is not to go before the standby knows how the session is.
    pub(super) is_owed: bool,
    pub(super) polled: Progress,
    pub(super) pushes: Pushes,
    pub(super) socket: Option<SessionSocket>,
    pub(super) upper: UpperSnapshot,
    pub(super) jobs: VecDeque<(u64, Job)>,
    /// How long nothing had been heard from the client.
    pub(super) silent_for: Duration,
    pub(super) history: History,
    pub(super) dormancy: DormancySnapshot,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) enum UpperSnapshot {
    SocketIo {
        connection: ConnectionSnapshot,
        sockets: Vec<SocketSnapshot>,
    },
    EngineIo,
}

/// A socket in one namespace, at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SocketSnapshot {
    pub(super) id: SocketId,
    pub(super) core: SocketCore,
    pub(super) data: Option<Bytes>,
    pub(super) joins: BTreeMap<Room, Place>,
    pub(super) acks: BTreeMap<AckId, (Json, Duration)>,
}

/// What of a socket is small.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SocketCore {
    namespace: NamespaceName,
    listening: bool,
    person: Option<Arc<Person>>,
    returns: u32,
    recovery: Option<RecoveryId>,
    since: Place,
    epochs: Epochs,
    away: Option<AwaySnapshot>,
}

impl SocketCore {
    /// The same at any time, to compare it with others.
    pub(super) fn without_times(&self) -> Self {
        let away = self.away.as_ref().map(|away| AwaySnapshot {
            reason: away.reason,
            tell_in: away.tell_in.map(|_| Duration::ZERO),
            left: Duration::ZERO,
        });
        Self { away, ..self.clone() }
    }
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
        if let Some((number, job)) = self.running_job().filter(|(_, job)| !is_asked_again(job)) {
            snapshot.jobs.push_front((number, job.clone()));
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
                .filter(|(_, job)| !is_asked_again(job))
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
            inbox: Inbox::default(),
            going_on: false,
            budget: Budget::new(&shared.config.client_limits, now),
            throttled: None,
            is_stalled: false,
            jobs: JobQueue::restored(snapshot.jobs),
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
            mark: None,
        };
        if let Upper::SocketIo(SocketIo { connection, sockets }) = &mut session.upper {
            for socket in sockets {
                for id in socket.acks.keys() {
                    connection.expect_ack(&socket.namespace, *id);
                }
            }
        }
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
        let listening = sockets.iter().filter(|socket| socket.core.listening);
        listening
            .flat_map(|SocketSnapshot { core, joins, .. }| {
                let rooms = joins.keys().map(|room| topic(&core.namespace, Some(room)));
                std::iter::once(topic(&core.namespace, None)).chain(rooms)
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
            id: self.id.clone(),
            core: self.core(now),
            data: data.map_err(|source| RestoreError::Data {
                namespace: self.namespace.clone(),
                source,
            })?,
            joins: BTreeMap::clone(self.joins.places()),
            acks: self.awaited(|_| true, now).collect(),
        })
    }

    /// What of it is small.
    pub(super) fn core(&self, now: Instant) -> SocketCore {
        SocketCore {
            namespace: self.namespace.clone(),
            listening: self.listening,
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
        }
    }

    /// Some of the answers that are waited for, with what is left of the wait.
    pub(super) fn awaited(
        &self,
        is_wanted: impl Fn(AckId) -> bool,
        now: Instant,
    ) -> impl Iterator<Item = (AckId, (Json, Duration))> {
        self.acks.iter().filter(move |(id, _)| is_wanted(**id)).map(
            move |(id, AwaitedAck { context, overdue })| {
                (*id, (context.clone(), overdue.saturating_duration_since(now)))
            },
        )
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
                warn!(namespace = %self.namespace, %error, "cannot encode a socket's data for its standby");
                false
            }
        }
    }
}

impl SocketSnapshot {
    /// A socket of which only this is known so far.
    pub(super) fn begin(id: SocketId, core: SocketCore) -> Self {
        Self {
            id,
            core,
            data: None,
            joins: BTreeMap::new(),
            acks: BTreeMap::new(),
        }
    }

    pub(crate) fn id(&self) -> &SocketId {
        &self.id
    }

    pub(crate) fn namespace(&self) -> &NamespaceName {
        &self.core.namespace
    }

    pub(crate) fn restore(
        self,
        shared: &Shared,
        service: ServiceIndex,
        now: Instant,
    ) -> Result<NamespaceSocket, RestoreError> {
        let Self {
            id,
            core,
            data: saved,
            joins,
            acks,
        } = self;
        let handler = handler(shared, service, &core.namespace)?;
        let data = saved.as_ref().map(|data| handler.load(data)).transpose();
        let acks: BTreeMap<_, _> = acks
            .into_iter()
            .map(|(id, (context, left))| {
                let overdue = now + left;
                (id, AwaitedAck { context, overdue })
            })
            .collect();
        let joins = Joins::from(joins);
        Ok(NamespaceSocket {
            data: data.map_err(|source| RestoreError::Data {
                namespace: core.namespace.clone(),
                source,
            })?,
            saved,
            namespace: core.namespace,
            id,
            rooms: Arc::new(joins.rooms().cloned().collect()),
            joins,
            listening: core.listening,
            acks,
            person: core.person,
            shown: None,
            returns: core.returns,
            recovery: core.recovery,
            since: core.since,
            epochs: core.epochs,
            away: core.away.map(|away| Away {
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
