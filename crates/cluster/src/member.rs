//! Nodes as the cluster sees them: names, incarnations, members and views.

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::stable_hash::StableHash;

/// The name an operator gave to a node: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(Arc<str>);

/// A string that cannot name a node.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a node name: 1 to 64 of the characters A-Z a-z 0-9 . _ - are")]
pub struct InvalidNodeName(String);

impl NodeName {
    const MAX_LENGTH: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl Default for NodeName {
    /// For a node that is alone.
    fn default() -> Self {
        Self("node".into())
    }
}

impl TryFrom<String> for NodeName {
    type Error = InvalidNodeName;

    fn try_from(name: String) -> Result<Self, InvalidNodeName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=Self::MAX_LENGTH).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidNodeName(name))
        }
    }
}

impl std::str::FromStr for NodeName {
    type Err = InvalidNodeName;

    fn from_str(name: &str) -> Result<Self, InvalidNodeName> {
        name.to_owned().try_into()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One life of a named node. A node that restarts under its old name is another member.
///
/// The number is the start time in milliseconds since the Unix epoch, so the later life is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

/// What identifies a member: its name and which of its lives this is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId {
    /// The operator's name for it.
    pub name: NodeName,
    /// Which life of that name.
    pub incarnation: Incarnation,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.name, self.incarnation.0)
    }
}

/// How far a member is in its life, which goes on in this order. Only *up* members own shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It gossips, but has no links to everybody yet.
    Joining,
    /// It owns shards.
    Up,
    /// It hands off what it owns and will go.
    Leaving,
}

/// A node as the others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub id: NodeId,
    /// How far it is in its life.
    pub phase: Phase,
    /// Where clients reach it.
    pub http: SocketAddr,
    /// Where its gossip (UDP) comes from.
    pub gossip: SocketAddr,
    /// Where it accepts links (TCP).
    pub link: SocketAddr,
}

/// The live members that one node sees at one time, itself included.
///
/// Views of different nodes differ for moments; two views with the same [`fingerprint`](Self::fingerprint) place
/// every shard on the same members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The node whose view it is.
    pub me: NodeId,
    /// Every live member, by name. Of two lives of one name only the later is here.
    pub members: BTreeMap<NodeName, Member>,
}

impl View {
    /// The members that own shards.
    pub fn up(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| member.phase == Phase::Up)
    }

    /// The live member with this identity, if it is one.
    pub fn member(&self, id: &NodeId) -> Option<&Member> {
        self.members.get(&id.name).filter(|member| member.id == *id)
    }

    /// Everybody but the node itself.
    pub fn others(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| member.id != self.me)
    }

    /// A number that is the same on all nodes that see the same *up* members.
    pub fn fingerprint(&self) -> u64 {
        self.up()
            .fold(StableHash::new(), |hash, Member { id, .. }| {
                hash.text(id.name.as_str()).number(id.incarnation.0)
            })
            .finish()
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Incarnation, NodeId};

    /// The first life of a node.
    pub(crate) fn node(name: &str) -> NodeId {
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(1),
        }
    }
}
