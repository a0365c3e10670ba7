//! Who on this node listens to what, and what each is to be told. Pure: requests and the core's outputs in, the core's inputs
//! and news out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use hither_replication::{Input, Output, ReplayId};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    application::{Producer, Publications, TopicPosition, core_shard},
    port::{Hold, Listen, Told},
};
use crate::{shard::ShardId, topic::Topic};

/// Tells listeners of this node apart. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ListenerId(pub(super) u64);

/// What is asked of the table. A permit is room that the request takes until it is dropped.
pub(crate) enum Request {
    Listen {
        id: ListenerId,
        /// How many bytes it may have unhandled.
        bound: usize,
        listen: Arc<dyn Listen>,
    },
    Subscribe {
        id: ListenerId,
        shard: ShardId,
        topic: Topic,
        from: Option<TopicPosition>,
        _permit: OwnedSemaphorePermit,
    },
    Unsubscribe {
        id: ListenerId,
        topic: Topic,
    },
    Publish {
        id: ListenerId,
        shard: ShardId,
        topic: Topic,
        producer: Producer,
        sequence: u64,
        payload: Bytes,
        permit: OwnedSemaphorePermit,
    },
    End {
        id: ListenerId,
    },
}

/// The listeners of this node, what they hear, and what they have published.
#[derive(Default)]
pub(super) struct Table {
    listeners: BTreeMap<ListenerId, Listening>,
    topics: HashMap<Topic, Subscription>,
    replays: BTreeMap<ReplayId, (ListenerId, Topic)>,
    last_replay: u64,
    unconfirmed: HashMap<(hither_replication::ShardId, Producer), VecDeque<Unconfirmed>>,
    /// Who has news to be told.
    to_tell: BTreeSet<ListenerId>,
}

struct Listening {
    listen: Arc<dyn Listen>,
    bound: usize,
    /// Bytes that it has been told and not handled.
    unhandled: Arc<AtomicUsize>,
    /// What it is to be told, and the bytes of that.
    news: Vec<Told>,
    news_bytes: usize,
    topics: BTreeSet<Topic>,
}

/// A topic that this node subscribes to.
struct Subscription {
    shard: ShardId,
    /// Up to where this node has heard it; none before the subscription holds.
    heard: Option<TopicPosition>,
    listeners: BTreeMap<ListenerId, Hearing>,
}

/// How a listener stands to a topic.
enum Hearing {
    /// It is told when the subscription of the node holds.
    Waiting,
    /// It is told first what it has missed.
    Replaying { replay: ReplayId, heard: TopicPosition },
    /// It is told what is delivered behind this number.
    Live { after: u64 },
}

/// A publication of this node.
struct Unconfirmed {
    id: ListenerId,
    topic: Topic,
    sequence: u64,
    _permit: OwnedSemaphorePermit,
}

/// What news takes besides its texts and payload.
const OVERHEAD: usize = 96;

impl Told {
    fn weight(&self) -> usize {
        let rest = match self {
            Self::Subscribed { topic, .. } | Self::Gap { topic, .. } | Self::Lagged { topic, .. } => {
                topic.as_str().len()
            }
            Self::Heard { topic, payload, .. } => topic.as_str().len() + payload.len(),
            Self::Confirmed { topic, producer, .. } => topic.as_str().len() + producer.as_str().len(),
        };
        OVERHEAD + rest
    }
}

impl Listening {
    fn push(&mut self, told: Told) {
        self.news_bytes += told.weight();
        self.news.push(told);
    }

    /// Takes a publication, if the listener has room for it. One that has nothing else takes any.
    fn offer(&mut self, told: Told) -> bool {
        let unhandled = self.unhandled.load(Ordering::Relaxed) + self.news_bytes;
        let fits = unhandled == 0 || unhandled + told.weight() <= self.bound;
        if fits {
            self.push(told);
        }
        fits
    }
}

impl Table {
    /// Does what is asked, and adds what the core is to be given for it.
    pub(super) fn request(&mut self, request: Request, inputs: &mut Vec<Input<Publications>>) {
        match request {
            Request::Listen { id, bound, listen } => {
                let listening = Listening {
                    listen,
                    bound,
                    unhandled: Arc::default(),
                    news: Vec::new(),
                    news_bytes: 0,
                    topics: BTreeSet::new(),
                };
                self.listeners.insert(id, listening);
            }
            Request::Subscribe {
                id,
                shard,
                topic,
                from,
                ..
            } => self.subscribe(id, shard, topic, from, inputs),
            Request::Unsubscribe { id, topic } => {
                if let Some(listening) = self.listeners.get_mut(&id) {
                    listening.topics.remove(&topic);
                }
                self.leave(id, &topic, inputs);
            }
            Request::Publish {
                id,
                shard,
                topic,
                producer,
                sequence,
                payload,
                permit,
            } => {
                let shard = core_shard(shard);
                let unconfirmed = Unconfirmed {
                    id,
                    topic: topic.clone(),
                    sequence,
                    _permit: permit,
                };
                self.unconfirmed
                    .entry((shard, producer.clone()))
                    .or_default()
                    .push_back(unconfirmed);
                inputs.push(Input::Publish {
                    shard,
                    topic,
                    producer,
                    sequence,
                    payload,
                });
            }
            Request::End { id } => {
                self.to_tell.remove(&id);
                if let Some(listening) = self.listeners.remove(&id) {
                    for topic in listening.topics {
                        self.leave(id, &topic, inputs);
                    }
                }
            }
        }
    }

    fn subscribe(
        &mut self,
        id: ListenerId,
        shard: ShardId,
        topic: Topic,
        from: Option<TopicPosition>,
        inputs: &mut Vec<Input<Publications>>,
    ) {
        let Some(listening) = self.listeners.get_mut(&id) else {
            return;
        };
        listening.topics.insert(topic.clone());
        let subscription = self.topics.entry(topic.clone()).or_insert_with(|| {
            inputs.push(Input::Subscribe {
                shard: core_shard(shard),
                topic: topic.clone(),
                from: None,
            });
            Subscription {
                shard,
                heard: None,
                listeners: BTreeMap::new(),
            }
        });
        let hearing = match (from, subscription.heard) {
            (Some(heard), _) => {
                self.last_replay += 1;
                let replay = ReplayId(self.last_replay);
                self.replays.insert(replay, (id, topic.clone()));
                inputs.push(Input::Replay {
                    shard: core_shard(shard),
                    topic: topic.clone(),
                    from,
                    replay,
                });
                Hearing::Replaying { replay, heard }
            }
            (None, Some(base)) => {
                let topic = topic.clone();
                listening.push(Told::Subscribed { topic, base });
                self.to_tell.insert(id);
                Hearing::Live { after: 0 }
            }
            (None, None) => Hearing::Waiting,
        };
        if let Some(Hearing::Replaying { replay, .. }) = subscription.listeners.insert(id, hearing) {
            self.replays.remove(&replay);
        }
    }

    /// A listener hears a topic no more; nor does this node, if it was the last.
    fn leave(&mut self, id: ListenerId, topic: &Topic, inputs: &mut Vec<Input<Publications>>) {
        let Some(subscription) = self.topics.get_mut(topic) else {
            return;
        };
        if let Some(Hearing::Replaying { replay, .. }) = subscription.listeners.remove(&id) {
            self.replays.remove(&replay);
        }
        if subscription.listeners.is_empty() {
            inputs.push(Input::Unsubscribe {
                shard: core_shard(subscription.shard),
                topic: topic.clone(),
            });
            self.topics.remove(topic);
        }
    }

    /// Takes what the core puts out for listeners, and adds what it is to be given for that. Returned is what it came to.
    pub(super) fn output(
        &mut self,
        output: Output<Publications>,
        inputs: &mut Vec<Input<Publications>>,
    ) -> Effect {
        match output {
            Output::Subscribed { topic, base } => self.subscribed(topic, base),
            Output::Deliver { topic, at, payload } => return self.deliver(topic, at, payload, inputs),
            Output::Gap { topic, base } => return self.gap(topic, base),
            Output::Replayed {
                replay,
                publications,
                through,
                is_last,
            } => return self.replayed(replay, publications, through, is_last, inputs),
            Output::NotReplayable(replay) => return self.not_replayable(replay),
            Output::Confirmed {
                shard,
                producer,
                sequence,
                ..
            } => return self.confirmed(shard, producer, sequence),
            // There is no state, so no records and leases; the port's bound is reached before that of the core's publications; the
            // rest is the driver's.
            Output::Send { .. }
            | Output::Promoted(_)
            | Output::Demoted(_)
            | Output::Committed { .. }
            | Output::Routed { .. }
            | Output::Rejected { .. }
            | Output::Writable(_)
            | Output::Leased(_) => {}
        }
        Effect::default()
    }

    fn subscribed(&mut self, topic: Topic, base: TopicPosition) {
        let Some(subscription) = self.topics.get_mut(&topic) else {
            return;
        };
        subscription.heard = Some(base);
        for (id, hearing) in &mut subscription.listeners {
            if let (Hearing::Waiting, Some(listening)) = (&*hearing, self.listeners.get_mut(id)) {
                *hearing = Hearing::Live { after: 0 };
                let topic = topic.clone();
                listening.push(Told::Subscribed { topic, base });
                self.to_tell.insert(*id);
            }
        }
    }

    fn gap(&mut self, topic: Topic, base: TopicPosition) -> Effect {
        let mut effect = Effect::default();
        let Some(subscription) = self.topics.get_mut(&topic) else {
            return effect;
        };
        subscription.heard = Some(base);
        for (id, hearing) in &mut subscription.listeners {
            if let (Hearing::Live { after }, Some(listening)) = (&mut *hearing, self.listeners.get_mut(id)) {
                *after = 0;
                let topic = topic.clone();
                listening.push(Told::Gap { topic, base });
                self.to_tell.insert(*id);
                effect.gaps += 1;
            }
        }
        effect
    }

    fn deliver(
        &mut self,
        topic: Topic,
        at: TopicPosition,
        payload: Bytes,
        inputs: &mut Vec<Input<Publications>>,
    ) -> Effect {
        let Some(subscription) = self.topics.get_mut(&topic) else {
            return Effect::default();
        };
        let before = subscription.heard.replace(at);
        let mut lagging = Vec::new();
        let mut delivered = 0;
        for (id, hearing) in &subscription.listeners {
            let (Hearing::Live { after }, Some(listening)) = (hearing, self.listeners.get_mut(id)) else {
                continue;
            };
            if at.number() <= *after {
                continue;
            }
            self.to_tell.insert(*id);
            let (topic, payload) = (topic.clone(), payload.clone());
            if listening.offer(Told::Heard { topic, at, payload }) {
                delivered += 1;
            } else {
                lagging.push(*id);
            }
        }
        let lagged = lagging.len();
        for id in lagging {
            self.lag(id, &topic, before.unwrap_or(at), inputs);
        }
        Effect {
            delivered,
            lagged,
            ..Effect::default()
        }
    }

    /// A listener has no room for what comes behind this position.
    fn lag(
        &mut self,
        id: ListenerId,
        topic: &Topic,
        heard: TopicPosition,
        inputs: &mut Vec<Input<Publications>>,
    ) {
        if let Some(listening) = self.listeners.get_mut(&id) {
            listening.topics.remove(topic);
            let topic = topic.clone();
            listening.push(Told::Lagged { topic, heard });
            self.to_tell.insert(id);
        }
        self.leave(id, topic, inputs);
    }

    fn replayed(
        &mut self,
        replay: ReplayId,
        publications: Vec<(TopicPosition, Bytes)>,
        through: TopicPosition,
        is_last: bool,
        inputs: &mut Vec<Input<Publications>>,
    ) -> Effect {
        let Some((id, topic)) = self.replays.get(&replay).cloned() else {
            return Effect::default();
        };
        let hearing = self
            .topics
            .get_mut(&topic)
            .and_then(|subscription| subscription.listeners.get_mut(&id));
        let (Some(hearing), Some(listening)) = (hearing, self.listeners.get_mut(&id)) else {
            return Effect::default();
        };
        let Hearing::Replaying { heard, .. } = hearing else {
            return Effect::default();
        };
        let mut delivered = 0;
        self.to_tell.insert(id);
        for (at, payload) in publications {
            let told = Told::Heard {
                topic: topic.clone(),
                at,
                payload,
            };
            if !listening.offer(told) {
                let heard = *heard;
                self.lag(id, &topic, heard, inputs);
                return Effect {
                    delivered,
                    lagged: 1,
                    ..Effect::default()
                };
            }
            *heard = at;
            delivered += 1;
        }
        *heard = through;
        if is_last {
            let after = through.number();
            *hearing = Hearing::Live { after };
            let base = through;
            listening.push(Told::Subscribed { topic, base });
            self.replays.remove(&replay);
        }
        Effect {
            delivered,
            ..Effect::default()
        }
    }

    fn not_replayable(&mut self, replay: ReplayId) -> Effect {
        let mut effect = Effect::default();
        let Some((id, topic)) = self.replays.remove(&replay) else {
            return effect;
        };
        let (Some(subscription), Some(listening)) =
            (self.topics.get_mut(&topic), self.listeners.get_mut(&id))
        else {
            return effect;
        };
        // The core asks about a topic when the subscription of the node holds.
        if let Some(base) = subscription.heard {
            subscription.listeners.insert(id, Hearing::Live { after: 0 });
            listening.push(Told::Gap { topic, base });
            self.to_tell.insert(id);
            effect.gaps = 1;
        }
        effect
    }

    fn confirmed(&mut self, shard: hither_replication::ShardId, producer: Producer, sequence: u64) -> Effect {
        let key = (shard, producer);
        let Some(queue) = self.unconfirmed.get_mut(&key) else {
            return Effect::default();
        };
        let count = queue.partition_point(|unconfirmed| unconfirmed.sequence <= sequence);
        for Unconfirmed {
            id, topic, sequence, ..
        } in queue.drain(..count)
        {
            if let Some(listening) = self.listeners.get_mut(&id) {
                let producer = key.1.clone();
                listening.push(Told::Confirmed {
                    topic,
                    producer,
                    sequence,
                });
                self.to_tell.insert(id);
            }
        }
        if queue.is_empty() {
            self.unconfirmed.remove(&key);
        }
        Effect {
            confirmed: count,
            ..Effect::default()
        }
    }

    /// Tells all listeners their news: once for each.
    pub(super) fn tell(&mut self) {
        for id in std::mem::take(&mut self.to_tell) {
            if let Some(listening) = self.listeners.get_mut(&id)
                && !listening.news.is_empty()
            {
                let bytes = std::mem::take(&mut listening.news_bytes);
                let hold = Hold::new(bytes, listening.unhandled.clone());
                listening.listen.told(std::mem::take(&mut listening.news), hold);
            }
        }
    }
}

/// What an output came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    /// Publications that listeners are told.
    pub(super) delivered: usize,
    /// Publications of this node that are confirmed.
    pub(super) confirmed: usize,
    /// Listeners that had no room for more of a topic.
    pub(super) lagged: usize,
    /// Listeners that are told that they have not heard all of a topic.
    pub(super) gaps: usize,
}

#[cfg(test)]
mod tests;
