//! What all lanes of a node share.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use hither_socketio::NamespaceName;
use tokio::sync::Semaphore;

use super::query::Queries;
use crate::{
    config::{RecoveryConfig, ServerConfig},
    engine_service::AnyEngineService,
    namespace::AnyNamespace,
    presence::Hub,
    request::ServiceIndex,
    session_ids::SessionIds,
};

/// A service mounted at a path.
pub(crate) enum Service {
    SocketIo(HashMap<NamespaceName, Arc<dyn AnyNamespace>>),
    EngineIo(Arc<dyn AnyEngineService>),
}

/// What all lanes of a node share.
pub(crate) struct Shared {
    pub(crate) config: ServerConfig,
    pub(crate) services: Vec<Service>,
    pub(crate) ids: Arc<SessionIds>,
    pub(crate) queries: Queries,
    pub(crate) presence: Arc<Hub>,
    pub(crate) counters: Counters,
    pub(crate) lanes: usize,
    /// Bounds what tasks outside of handlers publish before lanes have handed it round.
    pub(crate) publications: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn service(&self, index: ServiceIndex) -> Option<&Service> {
        self.services.get(usize::from(index.0))
    }

    pub(crate) fn namespace(
        &self,
        index: ServiceIndex,
        name: &NamespaceName,
    ) -> Option<&Arc<dyn AnyNamespace>> {
        match self.service(index)? {
            Service::SocketIo(namespaces) => namespaces.get(name),
            Service::EngineIo(_) => None,
        }
    }

    /// How clients may come back to their sockets in a namespace, if they may.
    pub(crate) fn recovery(&self, index: ServiceIndex, name: &NamespaceName) -> Option<RecoveryConfig> {
        let recovery = self.config.recovery?;
        self.namespace(index, name)?.is_recoverable().then_some(recovery)
    }
}

/// A number that goes up and, for some, down; read by whoever watches the node.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn up(&self) {
        self.add(1);
    }

    pub(crate) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a node counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Sessions owned at present.
    pub(crate) sessions: Counter,
    /// WebSockets attached here at present, whoever owns their sessions.
    pub(crate) sockets: Counter,
    /// Sessions that were opened here.
    pub(crate) opened: Counter,
    /// Sessions that came from another node.
    pub(crate) moved_in: Counter,
    /// Sessions that went to another node.
    pub(crate) moved_out: Counter,
    /// Sessions that live on here from a replica, for their owner died.
    pub(crate) revived: Counter,
    /// Sockets that came back with all they had missed.
    pub(crate) recovered: Counter,
    /// Frames put into sessions' outgoing buffers.
    pub(crate) frames: Counter,
    /// Sessions closed because their client did not take what it was sent.
    pub(crate) overflows: Counter,
    /// Times that a client had to wait because it spoke faster than it may.
    pub(crate) throttled: Counter,
    /// Times that a session had to wait because a link to another node was congested.
    pub(crate) stalled: Counter,
    /// Handlers that panicked.
    pub(crate) panics: Counter,
}
