//! A simulated node: the core, and an application that counts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Application, Change, Claim, Core, Listener, Memberships, NodeId, Position, ReplayId, Settings, ShardId,
    Slot, Version,
};

/// What is replicated here: a list of numbers, and the memberships of listeners.
pub(crate) enum Records {}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(super) numbers: Vec<u64>,
    pub(super) listeners: BTreeMap<ClientId, Memberships<Topic>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Record {
    Number(u64),
    Created(ClientId),
    Changed(ClientId, Change<Topic>),
    /// It changes nothing, but stands behind all that does.
    Returned,
}

/// A client, and the listener that serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ClientId(pub(super) u32);

/// A publication, or one of the copies of what is published to several topics.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Post {
    pub(super) said: Said,
    pub(super) topic: Topic,
    /// The copy that was sequenced first.
    pub(super) original: Said,
    pub(super) earlier: Vec<(Topic, Position)>,
}

/// What is published, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(super) producer: u32,
    pub(super) sequence: u64,
}

/// A topic belongs to its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Topic {
    pub(super) shard: ShardId,
    pub(super) index: u8,
}

impl Application for Records {
    type State = State;
    type Record = Record;
    type Payload = Post;
    type Topic = Topic;
    type Producer = u32;

    fn record_size(_: &Record) -> usize {
        8
    }

    fn payload_size(_: &Post) -> usize {
        100
    }

    fn apply(state: &mut State, record: &Record) {
        match record {
            Record::Number(number) => state.numbers.push(*number),
            Record::Created(client) => {
                state.listeners.insert(*client, Memberships::new(client.0));
            }
            Record::Returned => {}
            Record::Changed(client, change) => {
                if let Some(memberships) = state.listeners.get_mut(client) {
                    memberships.apply(change);
                }
            }
        }
    }
}

/// A listener at the holder of its shard.
pub(super) struct Serving {
    pub(super) shard: ShardId,
    pub(super) listener: Listener<Topic, Post>,
    /// The replays that it waits for.
    pub(super) replays: BTreeMap<ReplayId, Slot>,
    /// The topics that it joins, with the questions where they are.
    pub(super) joining: BTreeMap<ReplayId, Topic>,
    /// Its changes that are not committed, by the numbers of their entries.
    pub(super) uncommitted: Vec<(u64, Version)>,
}

pub(super) struct Several {
    pub(super) producer: u32,
    pub(super) sequence: u64,
    pub(super) under_way: Option<UnderWay>,
}

impl Several {
    pub(super) fn next(&mut self) -> Said {
        self.sequence += 1;
        Said {
            producer: self.producer,
            sequence: self.sequence,
        }
    }
}

pub(super) struct UnderWay {
    pub(super) rest: Vec<Topic>,
    /// The last copy that was published.
    pub(super) post: Post,
}

/// Producers that publish to several topics have numbers behind those that do not.
const MANY_PRODUCERS: u32 = 1_000_000;

pub(super) struct Node {
    pub(super) core: Core<Records>,
    pub(super) id: NodeId,
    /// Records that are not committed, per shard.
    pub(super) waiting: BTreeMap<ShardId, Vec<(Position, u64)>>,
    pub(super) listeners: BTreeMap<ClientId, Serving>,
    /// Clients that return here, with the record that must be committed before they are served.
    pub(super) returning: Vec<(ShardId, u64, ClientId)>,
    /// Who publishes to several topics here, one thing at a time: so its confirmation says where that stands.
    pub(super) several: Several,
    /// Who publishes here: a producer has one node for life.
    pub(super) producer: u32,
    pub(super) sequence: u64,
    pub(super) subscribed: Vec<Topic>,
    /// Shards to which it could not publish, and was not told that it can.
    pub(super) unwritable: BTreeSet<ShardId>,
    /// Who holds each shard, as it was told.
    pub(super) routes: BTreeMap<ShardId, Option<Claim>>,
}

impl Node {
    /// Whether it was told of each holder that it finds.
    pub(super) fn is_routed(&self, shards: &[ShardId]) -> bool {
        shards.iter().all(|shard| {
            let told = self.routes.get(shard).and_then(Option::as_ref);
            let told = told.map(|claim| (claim.holder(), claim.since()));
            told == self
                .core
                .claim(*shard)
                .map(|claim| (claim.holder(), claim.since()))
        })
    }

    /// How often the history was broken in which this node has a shard, if it holds it.
    pub(super) fn breaks(&self, shard: ShardId) -> u32 {
        self.core.claim(shard).map_or(0, |claim| claim.breaks)
    }

    pub(super) fn new(id: NodeId, shards: &[ShardId], producer: u32, settings: Settings) -> Self {
        Self {
            core: Core::new(id.clone(), shards.iter().copied(), settings),
            id,
            waiting: BTreeMap::new(),
            listeners: BTreeMap::new(),
            returning: Vec::new(),
            several: Several {
                producer: producer + MANY_PRODUCERS,
                sequence: 0,
                under_way: None,
            },
            producer,
            sequence: 0,
            subscribed: Vec::new(),
            unwritable: BTreeSet::new(),
            routes: BTreeMap::new(),
        }
    }
}
