//! How the rest of a node publishes and listens.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, watch};

use super::{
    application::{Producer, TopicPosition},
    driver::Event,
    figures::{Figures, TopicFigures},
    table::{ListenerId, Request},
};
use crate::{shard::ShardCount, topic::Topic};

/// How much, and how long.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    /// Of the core, but for its `pending_bytes`, for which `publishing` stands. All nodes must have the same.
    pub core: hither_replication::Settings,
    /// How many bytes of publications of this node, and of other requests, may wait.
    pub publishing: usize,
    /// How many bytes one listener may have been told that it has not handled.
    pub listening: usize,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            core: hither_replication::Settings::default(),
            publishing: 16 << 20,
            listening: 8 << 20,
        }
    }
}

/// What a listener is told. What concerns one topic comes in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// All that is published to the topic behind this position will be heard.
    Subscribed {
        /// The topic.
        topic: Topic,
        /// The position.
        base: TopicPosition,
    },
    /// Something was published.
    Heard {
        /// The topic.
        topic: Topic,
        /// Where it stands in the order of the topic.
        at: TopicPosition,
        /// What was published.
        payload: Bytes,
    },
    /// Something was published that was not heard, and is not kept any more. All behind this position will be heard.
    Gap {
        /// The topic.
        topic: Topic,
        /// The position.
        base: TopicPosition,
    },
    /// The listener has too much to handle: it is subscribed to the topic no more, and may subscribe again from here.
    Lagged {
        /// The topic.
        topic: Topic,
        /// Up to where it has heard the topic.
        heard: TopicPosition,
    },
    /// What a producer has published to the topic up to this sequence survives the death of any one node. Other listeners may
    /// hear it later.
    Confirmed {
        /// The topic.
        topic: Topic,
        /// The producer.
        producer: Producer,
        /// The highest sequence that is confirmed.
        sequence: u64,
    },
}

/// Hears what is published.
pub trait Listen: Send + Sync + 'static {
    /// Something has happened. Called from the task that serves all topics of the node: it must not block, nor call back.
    ///
    /// Drop `hold` when it is handled.
    fn told(&self, told: Vec<Told>, hold: Hold);
}

/// The room that a listener's unhandled news takes.
#[derive(Debug)]
#[must_use = "dropping it says that the news is handled"]
pub struct Hold {
    bytes: usize,
    unhandled: Arc<AtomicUsize>,
}

impl Hold {
    pub(super) fn new(bytes: usize, unhandled: Arc<AtomicUsize>) -> Self {
        unhandled.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes, unhandled }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.unhandled.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// So much waits to be confirmed that no more is taken. [`Topics::room`] completes when it may be tried again.
    #[error("too much waits to be confirmed: try again when there is room")]
    Full,
    /// No message between nodes could have it.
    #[error("a payload of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its bytes.
        size: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The node is ending.
    #[error("the node is ending")]
    Ended,
}

/// Topics whose publications have one order everywhere, and survive the death of any one node. Cheap to clone.
#[derive(Clone)]
pub struct Topics {
    shared: Arc<Shared>,
}

struct Shared {
    events: mpsc::UnboundedSender<Event>,
    room: Arc<Semaphore>,
    /// All of it.
    room_bytes: u32,
    settings: TopicSettings,
    payload_limit: usize,
    shards: ShardCount,
    listeners: AtomicU64,
    figures: Arc<Figures>,
    held: watch::Receiver<usize>,
}

/// What a request takes besides its texts and payload.
const OVERHEAD: usize = 128;

impl Topics {
    pub(super) fn new(
        events: mpsc::UnboundedSender<Event>,
        settings: TopicSettings,
        payload_limit: usize,
        shards: ShardCount,
        figures: Arc<Figures>,
        held: watch::Receiver<usize>,
    ) -> Self {
        let room_bytes = settings.publishing.min(Semaphore::MAX_PERMITS >> 3);
        let room_bytes = u32::try_from(room_bytes).unwrap_or(u32::MAX);
        Self {
            shared: Arc::new(Shared {
                events,
                room: Arc::new(Semaphore::new(room_bytes as usize)),
                room_bytes,
                settings,
                payload_limit,
                shards,
                listeners: AtomicU64::new(0),
                figures,
                held,
            }),
        }
    }

    /// Begins to listen, to nothing yet.
    ///
    /// # Errors
    /// [`Refused::Full`] and [`Refused::Ended`].
    pub fn listen(&self, listen: Arc<dyn Listen>) -> Result<Listener, Refused> {
        let id = ListenerId(self.shared.listeners.fetch_add(1, Ordering::Relaxed));
        let bound = self.shared.settings.listening;
        self.request(OVERHEAD, |_| Request::Listen { id, bound, listen })?;
        let topics = self.clone();
        Ok(Listener { id, topics })
    }

    /// Completes when there is room for requests.
    pub async fn room(&self) {
        let quarter = (self.shared.room_bytes / 4).max(1);
        // It is never closed.
        drop(self.shared.room.acquire_many(quarter).await);
    }

    /// Whether all that this node has published is confirmed, and all other requests are taken.
    pub fn is_settled(&self) -> bool {
        self.shared.room.available_permits() == self.shared.room_bytes as usize
    }

    /// How many shards this node holds, as it changes.
    pub fn held(&self) -> watch::Receiver<usize> {
        self.shared.held.clone()
    }

    /// What this node's part has done so far.
    pub fn figures(&self) -> TopicFigures {
        self.shared.figures.read()
    }

    fn request(
        &self,
        weight: usize,
        request: impl FnOnce(OwnedSemaphorePermit) -> Request,
    ) -> Result<(), Refused> {
        // What takes more than all the room has the whole for itself.
        let weight = u32::try_from(weight)
            .unwrap_or(u32::MAX)
            .min(self.shared.room_bytes);
        let permit = self.shared.room.clone().try_acquire_many_owned(weight);
        let permit = permit.map_err(|error| match error {
            TryAcquireError::NoPermits => Refused::Full,
            TryAcquireError::Closed => Refused::Ended,
        })?;
        self.send(request(permit))
    }

    fn send(&self, request: Request) -> Result<(), Refused> {
        let sent = self.shared.events.send(Event::Request(request));
        sent.map_err(|_| Refused::Ended)
    }
}

/// One who listens and publishes. When it is dropped it hears no more; what it has published stays published.
pub struct Listener {
    id: ListenerId,
    topics: Topics,
}

impl Listener {
    /// Hears a topic: all that is published behind `from`, or else from now on. [`Told::Subscribed`] says when that is so. Replaces
    /// an earlier subscription of this listener to the topic.
    ///
    /// # Errors
    /// [`Refused::Full`] and [`Refused::Ended`].
    pub fn subscribe(&self, topic: Topic, from: Option<TopicPosition>) -> Result<(), Refused> {
        let (id, shard) = (self.id, self.topics.shared.shards.shard_of_text(topic.as_str()));
        self.topics
            .request(OVERHEAD + topic.as_str().len(), |permit| Request::Subscribe {
                id,
                shard,
                topic,
                from,
                _permit: permit,
            })
    }

    /// Hears a topic no more. That takes no room: there are no more such requests than there were subscriptions.
    pub fn unsubscribe(&self, topic: Topic) {
        // When the node is ending there is nobody to tell.
        self.topics.send(Request::Unsubscribe { id: self.id, topic }).ok();
    }

    /// Publishes, once. A producer's sequences grow with each of its publications, whatever the topic: a publication whose sequence
    /// is not above that of an earlier one is a repetition, and is confirmed without being heard again. It is forgotten which
    /// those were when the producer has been silent for the `window` of the core's settings.
    ///
    /// # Errors
    /// All [refusals](Refused).
    pub fn publish(
        &self,
        topic: Topic,
        producer: Producer,
        sequence: u64,
        payload: Bytes,
    ) -> Result<(), Refused> {
        let (size, limit) = (payload.len(), self.topics.shared.payload_limit);
        if size > limit {
            return Err(Refused::TooLarge { size, limit });
        }
        let (id, shard) = (self.id, self.topics.shared.shards.shard_of_text(topic.as_str()));
        let weight = OVERHEAD + topic.as_str().len() + producer.as_str().len() + size;
        self.topics.request(weight, |permit| Request::Publish {
            id,
            shard,
            topic,
            producer,
            sequence,
            payload,
            permit,
        })
    }

    /// For [`Topics::room`].
    pub fn topics(&self) -> &Topics {
        &self.topics
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // When the node is ending there is nobody to tell.
        self.topics.send(Request::End { id: self.id }).ok();
    }
}
