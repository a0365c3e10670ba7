//! Nodes, shards, terms and positions.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use siphasher::sip::SipHasher13;

/// One life of a named node. A node that restarts under its old name is another one, with a greater incarnation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId {
    name: Arc<str>,
    incarnation: u64,
}

impl NodeId {
    /// The node `name` in the life `incarnation`.
    pub fn new(name: impl Into<Arc<str>>, incarnation: u64) -> Self {
        Self {
            name: name.into(),
            incarnation,
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The same on all nodes and in all builds, unlike what the standard library's hasher promises.
    fn tag(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(self.name.as_bytes());
        hasher.write_u64(self.incarnation);
        hasher.finish()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.incarnation)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One slice of the key space: what is held, replicated and moved as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShardId(pub u32);

/// One request for what was published to a topic, chosen by who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReplayId(pub u64);

/// Grows with each change of a shard's pair of nodes; who has accepted a higher one refuses what bears a lower one.
///
/// The tag names the life of the holder that began the term, so that two sides of a split never begin the same one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Term {
    #[serde(deserialize_with = "believable_count")]
    count: u32,
    tag: u64,
}

impl Term {
    /// The term that `holder` begins after this one.
    pub(crate) fn next(self, holder: &NodeId) -> Self {
        Self {
            count: self.count + 1,
            tag: holder.tag(),
        }
    }

    pub(crate) fn of(count: u32, tag: u64) -> Self {
        Self { count, tag }
    }

    pub(crate) fn count(self) -> u32 {
        self.count
    }

    pub(crate) fn tag(self) -> u64 {
        self.tag
    }

    /// Before any holder.
    pub(crate) const NONE: Self = Self { count: 0, tag: 0 };
}

/// Counts go on by one at a time. One that is read and leaves no room for that is refused.
fn believable_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let count = u32::deserialize(deserializer)?;
    if count > u32::MAX / 2 {
        return Err(D::Error::custom("the count of a term is too great"));
    }
    Ok(count)
}

/// The same for numbers of entries.
pub(crate) fn believable_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > u64::MAX / 2 {
        return Err(D::Error::custom("the number of an entry is too great"));
    }
    Ok(number)
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}.{:04x}", self.count, self.tag & 0xffff)
    }
}

/// A place in a shard's log: the number of an entry, and the term in which that number was given.
///
/// Numbers of one shard grow by one with each entry and never begin anew. The term tells apart two histories in which
/// the same number stands for different entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    pub(crate) term: Term,
    #[serde(deserialize_with = "believable_number")]
    pub(crate) number: u64,
}

impl Position {
    /// Before the first entry of a shard.
    pub(crate) const START: Self = Self {
        term: Term::NONE,
        number: 0,
    };

    /// Before all that a shard's log has.
    pub fn start() -> Self {
        Self::START
    }

    /// How many entries the shard's log had up to here.
    pub fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}", self.term, self.number)
    }
}

/// Who holds a shard, and who stands by, in one term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub(crate) term: Term,
    /// The term in which the holder began to hold. What others have told it they want is known to it for that long.
    pub(crate) since: Term,
    /// How often the shard was begun anew without a word of the pair that had it. After a split two nodes may hold the
    /// shard: the history that was broken less often goes on, for it has what was committed before; else that of the
    /// higher term.
    pub(crate) breaks: u32,
    pub(crate) holder: NodeId,
    pub(crate) standby: Option<NodeId>,
}

impl Claim {
    /// The node that sequences, answers and decides for the shard.
    pub fn holder(&self) -> &NodeId {
        &self.holder
    }

    /// The node that has all that is committed, and takes over when the holder dies.
    pub fn standby(&self) -> Option<&NodeId> {
        self.standby.as_ref()
    }

    /// The term in which the holder began to hold. If it holds the shard anew, it has another one.
    pub fn since(&self) -> Term {
        self.since
    }

    pub(crate) fn pair(&self) -> impl Iterator<Item = &NodeId> {
        [&self.holder].into_iter().chain(&self.standby)
    }

    pub(crate) fn names(&self, node: &NodeId) -> bool {
        self.pair().any(|named| named == node)
    }
}
