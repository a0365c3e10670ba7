//! A look at the sessions of all nodes, for people who watch a cluster.

use hither_cluster::{Key, NodeName};
use hither_engineio::TransportName;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::status::{MemberStatus, SessionStatus};

/// What a session is called in public: 48 bits of a hash of its id, the same on every node and for all of its life.
///
/// The id itself is a secret: who knows it can speak for the client. It has so many more random bits than its tag that
/// nobody finds it by the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionTag(u64);

impl SessionTag {
    /// Few enough that JavaScript has the number exactly.
    const BITS: u32 = 48;
    /// Other keys than those for shards, so that the one hash says nothing about the other.
    const KEYS: (u64, u64) = (0x6869_7468_6572, 0x7365_7373_696f_6e73);

    pub(crate) fn of(session: &Key) -> Self {
        let hash = SipHasher13::new_with_keys(Self::KEYS.0, Self::KEYS.1).hash(session.as_str().as_bytes());
        Self(hash >> (u64::BITS - Self::BITS))
    }
}

/// Where a session is, as its owner says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSight {
    /// Which session it is.
    pub tag: SessionTag,
    /// The node that owns it.
    pub owner: NodeName,
    /// The node at which its client is connected, or was last.
    pub ingress: NodeName,
    /// How its client is connected; none while it is away and may come back.
    pub transport: Option<TransportName>,
    /// Its owner has made its snapshot, and another node may have it already.
    pub(crate) frozen: bool,
}

/// The members of a cluster and a sample of its sessions, at about one time.
#[derive(Clone, Debug, Serialize)]
pub struct Census {
    /// The live members, by name.
    pub members: Vec<MemberCensus>,
    /// Those of all sessions whose tags are the lowest: so the same ones from one census to the next, wherever they go.
    #[serde(skip)]
    pub sessions: Vec<SessionSight>,
}

/// A member as others see it, and what it counts itself.
#[derive(Clone, Debug, Serialize)]
pub struct MemberCensus {
    /// As the node that was asked sees it.
    #[serde(flatten)]
    pub member: MemberStatus,
    /// As it counts; none if it did not answer in time.
    pub sessions: Option<SessionStatus>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_same_everywhere_and_differs_from_session_to_session() {
        let tag = SessionTag::of(&"lOn3RabCpq9_fDMqTdXx8Q2u".into());
        assert_eq!(tag, SessionTag::of(&"lOn3RabCpq9_fDMqTdXx8Q2u".into()));
        assert_ne!(tag, SessionTag::of(&"lOn3RabCpq9_fDMqTdXx8Q2v".into()));
        assert_eq!(tag.0, 0xc72f_3ccb_1230, "what it has always been");
        assert!(tag.0 < 1 << SessionTag::BITS);
    }
}
