//! A node's part in the replication of all shards.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::{
    application::{Application, ProducerOf, TopicOf},
    ids::{Claim, NodeId, Position, ShardId},
    message::{Intent, Message},
    output::Output,
    shard::{Context, Shard},
    view::{Peers, View},
};

/// How long, and how much.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is unanswered for so long is asked again.
    pub retry: Duration,
    /// How long nobody of a shard's last pair may be there before it goes on with what others have of it.
    pub orphan_timeout: Duration,
    /// For how long a producer's last publication is remembered, and that a topic was silent.
    pub window: Duration,
    /// How many entries of a shard are kept at least.
    pub kept_entries: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry: Duration::from_millis(200),
            orphan_timeout: Duration::from_secs(5),
            window: Duration::from_secs(120),
            kept_entries: 4096,
        }
    }
}

/// What happens to a node.
pub enum Input<A: Application> {
    /// The members are others now.
    View(View),
    /// What was on its way between this node and another may be lost, in both directions.
    LinkReset(NodeId),
    /// A node has said something about a shard.
    Message {
        /// The node.
        from: NodeId,
        /// The shard.
        shard: ShardId,
        /// What it has said.
        message: Message<A>,
    },
    /// A deadline is over; see [`Core::deadline`].
    Tick,
    /// Publishes to a topic of a shard. A producer numbers its publications to one shard, with growing numbers.
    Publish {
        /// The topic's shard.
        shard: ShardId,
        /// The topic.
        topic: TopicOf<A>,
        /// Who publishes.
        producer: ProducerOf<A>,
        /// Its number: a repetition bears the same one.
        sequence: u64,
        /// What.
        payload: A::Payload,
    },
    /// Begins to hear a topic; from a position on, if it was heard before.
    Subscribe {
        /// The topic's shard.
        shard: ShardId,
        /// The topic.
        topic: TopicOf<A>,
        /// Up to where it was heard.
        from: Option<Position>,
    },
    /// Ends to hear a topic.
    Unsubscribe {
        /// The topic's shard.
        shard: ShardId,
        /// The topic.
        topic: TopicOf<A>,
    },
}

/// This node does not hold that shard, or does not serve it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node does not hold the shard")]
pub struct NotHolder;

/// A node's part in the replication of all shards: give it an input, do what it puts out, in order, and wake it at its
/// [deadline](Self::deadline).
///
/// It has no clock, no random source and no task; the same inputs give the same outputs. A shard costs memory only from
/// the moment when this node has something to do with it.
pub struct Core<A: Application> {
    peers: Peers,
    settings: Settings,
    shards: BTreeMap<ShardId, Shard<A>>,
    deadlines: BTreeSet<(Duration, ShardId)>,
    known_deadlines: BTreeMap<ShardId, Duration>,
    to_me: VecDeque<(ShardId, Message<A>)>,
}

impl<A: Application> Core<A> {
    /// The node `me`, which knows nobody and of nothing yet, in a cluster with these shards.
    pub fn new(me: NodeId, shards: impl IntoIterator<Item = ShardId>, settings: Settings) -> Self {
        Self {
            peers: Peers::new(me),
            settings,
            shards: shards
                .into_iter()
                .map(|shard| (shard, Shard::default()))
                .collect(),
            deadlines: BTreeSet::new(),
            known_deadlines: BTreeMap::new(),
            to_me: VecDeque::new(),
        }
    }

    /// The state of a shard that this node holds.
    pub fn state(&self, shard: ShardId) -> Option<&A::State> {
        self.shards.get(&shard)?.state()
    }

    /// Who holds a shard, as far as this node knows.
    pub fn claim(&self, shard: ShardId) -> Option<&Claim> {
        self.shards.get(&shard)?.route()
    }

    /// When the next [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Changes the state of a shard that this node holds, and tells where the change stands. What depends on it may
    /// leave when [`Output::Committed`] names that number.
    ///
    /// # Errors
    /// When this node does not hold the shard.
    pub fn record(
        &mut self,
        shard: ShardId,
        record: A::Record,
        now: Duration,
    ) -> Result<(Position, Vec<Output<A>>), NotHolder> {
        let position = self
            .shards
            .get_mut(&shard)
            .and_then(|shard| shard.record(record))
            .ok_or(NotHolder)?;
        let mut outputs = Vec::new();
        self.with(shard, now, &mut outputs, |_, _| {});
        self.answer_me(now, &mut outputs);
        Ok((position, outputs))
    }

    /// Takes an input and says what is to be done, in order.
    pub fn handle(&mut self, input: Input<A>, now: Duration) -> Vec<Output<A>> {
        let mut outputs = Vec::new();
        match input {
            Input::View(view) => {
                let joined = self.peers.adopt(view);
                self.with_all(now, &mut outputs, |shard, ctx| {
                    shard.on_view(ctx);
                    for node in &joined {
                        shard.on_member(ctx, node);
                    }
                });
            }
            Input::LinkReset(peer) => {
                self.with_all(now, &mut outputs, |shard, ctx| shard.on_reset(ctx, &peer));
            }
            Input::Message { from, shard, message } => {
                // What still comes from a node that is dead here was said to a cluster that is over.
                if !self.peers.is_dead(&from) {
                    self.with(shard, now, &mut outputs, |shard, ctx| {
                        shard.handle(ctx, &from, message)
                    });
                }
            }
            Input::Tick => {
                while let Some((at, shard)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
                    self.deadlines.remove(&(at, shard));
                    self.known_deadlines.remove(&shard);
                    self.with(shard, now, &mut outputs, |shard, ctx| shard.on_tick(ctx));
                }
            }
            Input::Publish {
                shard,
                topic,
                producer,
                sequence,
                payload,
            } => {
                let intent = Intent {
                    topic,
                    producer,
                    sequence,
                    previous: None,
                    payload,
                };
                self.with(shard, now, &mut outputs, |shard, ctx| shard.publish(ctx, intent));
            }
            Input::Subscribe { shard, topic, from } => {
                self.with(shard, now, &mut outputs, |shard, ctx| {
                    shard.subscribe(ctx, topic, from)
                });
            }
            Input::Unsubscribe { shard, topic } => {
                self.with(shard, now, &mut outputs, |shard, ctx| {
                    shard.unsubscribe(ctx, topic)
                });
            }
        }
        self.answer_me(now, &mut outputs);
        outputs
    }

    /// What a shard that this node holds keeps of its past, and how much of that is committed.
    #[cfg(test)]
    pub(crate) fn log(&self, shard: ShardId) -> Option<(&crate::log::Log<A>, u64)> {
        self.shards.get(&shard)?.log()
    }

    fn with_all(
        &mut self,
        now: Duration,
        outputs: &mut Vec<Output<A>>,
        step: impl Fn(&mut Shard<A>, &mut Context<'_, A>),
    ) {
        let shards: Vec<ShardId> = self.shards.keys().copied().collect();
        for shard in shards {
            self.with(shard, now, outputs, &step);
        }
    }

    fn with(
        &mut self,
        id: ShardId,
        now: Duration,
        outputs: &mut Vec<Output<A>>,
        step: impl FnOnce(&mut Shard<A>, &mut Context<'_, A>),
    ) {
        let Some(shard) = self.shards.get_mut(&id) else {
            return;
        };
        let mut ctx = Context {
            shard: id,
            peers: &self.peers,
            settings: &self.settings,
            now,
            outputs,
            to_me: &mut self.to_me,
        };
        step(shard, &mut ctx);
        shard.advance(&mut ctx);
        let deadline = shard.deadline();
        if let Some(former) = self.known_deadlines.remove(&id) {
            self.deadlines.remove(&(former, id));
        }
        if let Some(at) = deadline {
            self.known_deadlines.insert(id, at);
            self.deadlines.insert((at, id));
        }
    }

    fn answer_me(&mut self, now: Duration, outputs: &mut Vec<Output<A>>) {
        while let Some((shard, message)) = self.to_me.pop_front() {
            let me = self.peers.me.clone();
            self.with(shard, now, outputs, |shard, ctx| shard.handle(ctx, &me, message));
        }
    }
}
