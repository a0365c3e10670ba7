//! A node's part in the replication of all shards.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::{
    application::{Application, ProducerOf, TopicOf},
    ids::{Claim, NodeId, Position, ReplayId, ShardId},
    lease::{Lease, Leases, Leasing},
    message::{Content, Intent, Kind, Message},
    output::Output,
    shard::{Context, Shard},
    view::{Adopted, Peers, View},
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
    /// How many bytes of a shard's log are kept for those who missed something.
    pub kept_bytes: usize,
    /// How many bytes of entries one message has, unless a single one is larger.
    pub message_bytes: usize,
    /// How many bytes of entries may be on their way to a follower, and of publications to a holder.
    pub window_bytes: usize,
    /// How many bytes a shard's log may have beyond those that are [kept](Self::kept_bytes), and a quarter of these: while its
    /// standby does not answer, or a member has not said what it subscribes to. A holder whose log is full gives no
    /// [lease](Core::lease), and takes no publications: those wait where they come from.
    pub backlog_bytes: usize,
    /// How many bytes of publications to one shard wait at the node that publishes them. Beyond that they are
    /// [rejected](Output::Rejected).
    pub pending_bytes: usize,
    /// For how long a holder relies on its standby's word.
    pub lease: Duration,
    /// For how long a standby keeps that word. Longer than the lease by what clocks may differ in that time.
    pub lease_guard: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry: Duration::from_millis(200),
            orphan_timeout: Duration::from_secs(5),
            window: Duration::from_secs(120),
            kept_bytes: 1 << 20,
            message_bytes: 64 << 10,
            window_bytes: 1 << 20,
            backlog_bytes: 4 << 20,
            pending_bytes: 4 << 20,
            lease: Duration::from_millis(500),
            lease_guard: Duration::from_secs(1),
        }
    }
}

/// What happens to a node.
pub enum Input<A: Application> {
    /// The members are others now. Who is none any more is taken for dead: what it says is not read, and others take its
    /// shards over. It may be a member again, after a split for example.
    View(View),
    /// What was on its way between this node and another may be lost, in both directions. Whoever is no member is best cut
    /// off, but need not be.
    LinkReset(NodeId),
    /// A node has said something.
    Message {
        /// The node.
        from: NodeId,
        /// What it has said.
        message: Message<A>,
    },
    /// A deadline is over; see [`Core::deadline`].
    Tick,
    /// Publishes to a topic of a shard, if [there is room](Core::has_room). A producer numbers its publications to one shard,
    /// with growing numbers.
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
    /// Asks what was published to a topic, for a listener that has heard less of it than this node. If the topic is
    /// subscribed to before, the listener has heard all when it is told the answer and then what is delivered behind it.
    Replay {
        /// The topic's shard.
        shard: ShardId,
        /// The topic.
        topic: TopicOf<A>,
        /// Up to where the listener has heard it; none for one that begins now: it is told where that is.
        from: Option<Position>,
        /// Names the answer.
        replay: ReplayId,
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
    leases: Leases,
    settings: Settings,
    shards: BTreeMap<ShardId, Shard<A>>,
    deadlines: BTreeSet<(Duration, ShardId)>,
    known_deadlines: BTreeMap<ShardId, Duration>,
    to_me: VecDeque<(ShardId, Kind<A>)>,
}

impl<A: Application> Core<A> {
    /// The node `me`, which knows nobody and of nothing yet, in a cluster with these shards.
    pub fn new(me: NodeId, shards: impl IntoIterator<Item = ShardId>, settings: Settings) -> Self {
        Self {
            peers: Peers::new(me),
            leases: Leases::new(settings.lease, settings.lease_guard),
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

    /// Who holds a shard, as far as this node knows. [`Output::Routed`] says when that is another one.
    pub fn claim(&self, shard: ShardId) -> Option<&Claim> {
        self.shards.get(&shard)?.route()
    }

    /// Where the log of a shard that this node holds and serves ends.
    pub fn last(&self, shard: ShardId) -> Option<Position> {
        self.shards.get(&shard)?.last()
    }

    /// Whether a place in the log of a shard is one of the history in which this node holds it. What was said of another one, on
    /// the other side of a split, is not. Of very old ones that is not known any more.
    pub fn has(&self, shard: ShardId, position: Position) -> bool {
        let shard = self.shards.get(&shard);
        shard.is_some_and(|shard| shard.has(position))
    }

    /// Whether the log of a shard that this node holds is [full](Settings::backlog_bytes). What can be asked for again should
    /// not be recorded now.
    pub fn is_full(&self, shard: ShardId) -> bool {
        let shard = self.shards.get(&shard);
        shard.is_some_and(|shard| shard.is_full(&self.settings))
    }

    /// Whether a publication to a shard would be taken. If not, [`Output::Writable`] says when it will be.
    pub fn has_room(&self, shard: ShardId) -> bool {
        let shard = self.shards.get(&shard);
        shard.is_some_and(|shard| shard.has_room(&self.settings))
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

    /// Whether this node may act on the state of a shard that it holds without an entry in its log: begin a handler, or
    /// answer a question. While the shard's log is [full](Settings::backlog_bytes) it may not, so that what handlers record has
    /// a bound; what they have begun, they may record.
    ///
    /// # Errors
    /// When this node does not hold the shard.
    pub fn lease(&mut self, shard: ShardId, now: Duration) -> Result<(Lease, Vec<Output<A>>), NotHolder> {
        let mut outputs = Vec::new();
        let lease = self.take_leases(shard, now, &mut outputs).ok_or(NotHolder)?;
        match lease {
            Lease::Held => self.leases.end_wait(shard),
            Lease::Pending => self.leases.wait(shard),
        }
        Ok((lease, outputs))
    }

    /// Takes an input and says what is to be done, in order.
    pub fn handle(&mut self, input: Input<A>, now: Duration) -> Vec<Output<A>> {
        let mut outputs = Vec::new();
        match input {
            Input::View(view) => {
                let Adopted { joined, returned } = self.peers.adopt(view);
                self.leases.forget(|node| self.peers.is_dead(node), now);
                for node in &returned {
                    self.leases.reset(node);
                    outputs.push(Output::Send {
                        to: node.clone(),
                        message: Message(Content::Returned),
                    });
                }
                self.with_all(now, &mut outputs, |shard, ctx| {
                    shard.on_view(ctx);
                    for node in &joined {
                        shard.on_member(ctx, node);
                    }
                    for node in &returned {
                        shard.on_reset(ctx, node);
                    }
                });
            }
            Input::LinkReset(peer) => self.reset(&peer, now, &mut outputs),
            // What still comes from a node that is dead here was said to a cluster that is over.
            Input::Message { from, .. } if self.peers.is_dead(&from) => {}
            Input::Message { from, message } => match message.0 {
                Content::Shard(shard, kind) => {
                    self.with(shard, now, &mut outputs, |shard, ctx| {
                        shard.handle(ctx, &from, kind)
                    });
                }
                Content::Leasing(message) => self.on_leasing(from, message, now, &mut outputs),
                Content::Returned => self.reset(&from, now, &mut outputs),
            },
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
            Input::Replay {
                shard,
                topic,
                from,
                replay,
            } => {
                self.with(shard, now, &mut outputs, |shard, _| {
                    shard.replay(replay, topic, from)
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

    /// Whether nothing is waited for.
    #[cfg(test)]
    pub(crate) fn is_quiet(&self) -> bool {
        self.deadlines.is_empty() && self.leases.waiting().is_empty()
    }

    /// What a shard that this node holds keeps of its past, and how much of that is committed.
    #[cfg(test)]
    pub(crate) fn log(&self, shard: ShardId) -> Option<(&crate::log::Log<A>, u64)> {
        self.shards.get(&shard)?.log()
    }

    /// What was on its way between this node and another one may be lost.
    fn reset(&mut self, peer: &NodeId, now: Duration, outputs: &mut Vec<Output<A>>) {
        self.leases.reset(peer);
        self.with_all(now, outputs, |shard, ctx| shard.on_reset(ctx, peer));
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
            leases: &self.leases,
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
        self.end_wait(id, now, outputs);
    }

    fn on_leasing(&mut self, from: NodeId, message: Leasing, now: Duration, outputs: &mut Vec<Output<A>>) {
        match message {
            Leasing::Ask { number } => {
                let grant = self.leases.give(&from, number, now);
                outputs.push(Output::Send {
                    to: from,
                    message: Message(Content::Leasing(grant)),
                });
            }
            Leasing::Grant { number } => {
                self.leases.on_granted(&from, number);
                for shard in self.leases.waiting() {
                    self.end_wait(shard, now, outputs);
                }
            }
        }
    }

    /// The lease of all who might take a shard over from this node; none if this node does not hold it.
    fn take_leases(&mut self, shard: ShardId, now: Duration, outputs: &mut Vec<Output<A>>) -> Option<Lease> {
        let shard = self.shards.get(&shard)?;
        let mut all = match shard.is_full(&self.settings) {
            true => Lease::Pending,
            false => Lease::Held,
        };
        for node in shard.successors()? {
            let (lease, ask) = self.leases.take(&node, now);
            if lease == Lease::Pending {
                all = Lease::Pending;
            }
            if let Some(ask) = ask {
                outputs.push(Output::Send {
                    to: node,
                    message: Message(Content::Leasing(ask)),
                });
            }
        }
        Some(all)
    }

    /// Names a shard that waits for its lease, when that may have begun.
    fn end_wait(&mut self, shard: ShardId, now: Duration, outputs: &mut Vec<Output<A>>) {
        if !self.leases.is_awaited(shard) {
            return;
        }
        match self.take_leases(shard, now, outputs) {
            Some(Lease::Pending) => {}
            Some(Lease::Held) => {
                self.leases.end_wait(shard);
                outputs.push(Output::Leased(shard));
            }
            None => {
                self.leases.end_wait(shard);
            }
        }
    }

    fn answer_me(&mut self, now: Duration, outputs: &mut Vec<Output<A>>) {
        while let Some((shard, message)) = self.to_me.pop_front() {
            let me = self.peers.me.clone();
            self.with(shard, now, outputs, |shard, ctx| shard.handle(ctx, &me, message));
        }
    }
}
