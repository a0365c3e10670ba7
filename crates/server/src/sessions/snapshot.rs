//! All that a session needs to live on another node.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hither_cluster::Key;
use hither_engineio as engineio;
use hither_socketio::{AckId, Connection, ConnectionSnapshot, Json, NamespaceName, SocketId};
use serde::{Deserialize, Serialize};

use super::{
    env::{Env, Lane, Slot},
    session::{AwaitedAck, NamespaceSocket, Polling, Session, SessionSocket, SocketIo, Upper},
    shared::{Service, Shared},
};
use crate::{
    handshake::Handshake,
    job::Job,
    namespace::DataError,
    outgoing::Outgoing,
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
    answered: Option<RequestId>,
    pushes: VecDeque<RequestId>,
    socket: Option<SessionSocket>,
    upper: UpperSnapshot,
    jobs: VecDeque<Job>,
}

#[derive(Clone, Serialize, Deserialize)]
enum UpperSnapshot {
    SocketIo {
        connection: ConnectionSnapshot,
        sockets: Vec<SocketSnapshot>,
    },
    EngineIo,
}

#[derive(Clone, Serialize, Deserialize)]
struct SocketSnapshot {
    namespace: NamespaceName,
    id: SocketId,
    data: Option<Bytes>,
    rooms: BTreeSet<Room>,
    listening: bool,
    acks: Vec<(AckId, Json, Duration)>,
    card: Option<Json>,
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
    pub(crate) fn topics(&self) -> Vec<hither_cluster::Topic> {
        let Upper::SocketIo(upper) = &self.upper else {
            return Vec::new();
        };
        let listening = upper.sockets.iter().filter(|socket| socket.listening);
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
            answered: self.polling.answered,
            pushes: self.polling.pushes.clone(),
            socket: self.socket.clone(),
            upper,
            jobs: self.jobs.clone(),
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
            key,
            slot,
            service: snapshot.service,
            opened_by: snapshot.opened_by,
            handshake: Arc::new(snapshot.handshake),
            engine: engineio::Session::restore(snapshot.engine, now),
            outgoing: snapshot.outgoing,
            polling: Polling {
                hanging: None,
                answered: snapshot.answered,
                pushes: snapshot.pushes,
            },
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
    }
}

impl NamespaceSocket {
    fn snapshot(
        &self,
        shared: &Shared,
        service: ServiceIndex,
        now: Instant,
    ) -> Result<SocketSnapshot, RestoreError> {
        let handler = handler(shared, service, &self.namespace)?;
        let data = self.data.as_ref().map(|data| handler.save(data)).transpose();
        Ok(SocketSnapshot {
            namespace: self.namespace.clone(),
            id: self.id.clone(),
            data: data.map_err(|source| RestoreError::Data {
                namespace: self.namespace.clone(),
                source,
            })?,
            rooms: BTreeSet::clone(&self.rooms),
            listening: self.listening,
            card: self.card.clone(),
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

impl SocketSnapshot {
    fn restore(
        self,
        shared: &Shared,
        service: ServiceIndex,
        now: Instant,
    ) -> Result<NamespaceSocket, RestoreError> {
        let handler = handler(shared, service, &self.namespace)?;
        let data = self.data.map(|data| handler.load(&data)).transpose();
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
            namespace: self.namespace,
            id: self.id,
            rooms: Arc::new(self.rooms),
            listening: self.listening,
            acks,
            card: self.card,
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
