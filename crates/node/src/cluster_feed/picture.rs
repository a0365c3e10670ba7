//! What pages know of the sessions, and what changes from one look to the next.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use hither::{
    Census, SessionSight, SessionTag, TransportName,
    cluster::{NodeName, Phase},
};
use serde::{Deserialize, Serialize};

/// Looks without a session before it has ended. Between the looks at two nodes it may have moved from the one not yet
/// looked at to the one looked at before.
const UNSEEN_LOOKS: u32 = 3;
/// Looks without a session before it has ended, if its owner is gone: it lives on from its replica soon.
const ORPHAN_LOOKS: u32 = 10;

/// Names one picture of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Version(String);

impl Version {
    /// The picture that a node saw at this time since the Unix epoch.
    pub(super) fn new(node: &NodeName, at: Duration) -> Self {
        Self(format!("{node}/{}", at.as_micros()))
    }
}

/// The sessions as of the last look.
#[derive(Default)]
pub(super) struct Picture {
    version: Option<Version>,
    sessions: BTreeMap<SessionTag, Seen>,
}

struct Seen {
    row: Row,
    /// Looks that should have shown it and did not.
    unseen: u32,
}

/// A session as pages are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row(SessionTag, NodeName, NodeName, Option<TransportName>);

/// What pages are to change in the picture that they have.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    version: Version,
    /// The picture that changes; none if all of it is told.
    from: Option<Version>,
    /// Sessions that are new, or elsewhere than before.
    seen: Vec<Row>,
    ended: Vec<SessionTag>,
}

impl From<&SessionSight> for Row {
    fn from(sight: &SessionSight) -> Self {
        Self(
            sight.tag,
            sight.owner.clone(),
            sight.ingress.clone(),
            sight.transport,
        )
    }
}

impl Picture {
    /// The version of the last look.
    pub(super) fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// Takes in another look; tells what it changes, if anything.
    pub(super) fn take_in(&mut self, version: Version, census: &Census) -> Option<Change> {
        let mut seen = Vec::new();
        let here: HashSet<SessionTag> = census.sessions.iter().map(|sight| sight.tag).collect();
        for sight in &census.sessions {
            let row = Row::from(sight);
            let known = self.sessions.insert(
                sight.tag,
                Seen {
                    row: row.clone(),
                    unseen: 0,
                },
            );
            if known.is_none_or(|known| known.row != row) {
                seen.push(row);
            }
        }
        let patience_with = |owner: &NodeName| match Owner::in_census(census, owner) {
            Owner::Silent => None,
            Owner::Answered => Some(UNSEEN_LOOKS),
            Owner::Gone => Some(ORPHAN_LOOKS),
        };
        let mut ended = Vec::new();
        self.sessions.retain(|tag, Seen { row, unseen }| {
            let Some(patience) = patience_with(&row.1).filter(|_| !here.contains(tag)) else {
                return true;
            };
            *unseen += 1;
            let lives = *unseen < patience;
            if !lives {
                ended.push(*tag);
            }
            lives
        });
        if self.version.is_some() && seen.is_empty() && ended.is_empty() {
            return None;
        }
        let from = self.version.replace(version.clone());
        Some(Change {
            version,
            from,
            seen,
            ended,
        })
    }

    /// All of it, for who has none or another; empty before the first look.
    pub(super) fn whole(&self) -> Option<Change> {
        Some(Change {
            version: self.version.clone()?,
            from: None,
            seen: self.sessions.values().map(|seen| seen.row.clone()).collect(),
            ended: Vec::new(),
        })
    }
}

/// What a look says of the owner of a session that it does not show.
enum Owner {
    /// It has the session no more.
    Answered,
    /// It may still have the session.
    Silent,
    Gone,
}

impl Owner {
    fn in_census(census: &Census, owner: &NodeName) -> Self {
        let member = census
            .members
            .iter()
            .find(|member| member.member.name == owner.as_str());
        match member {
            None => Self::Gone,
            // Another life of the node: it has nothing of what the former one had.
            Some(member) if member.member.phase == Phase::Joining => Self::Gone,
            Some(member) if member.sessions.is_none() => Self::Silent,
            Some(_) => Self::Answered,
        }
    }
}

#[cfg(test)]
mod tests {
    use hither::{MemberCensus, MemberStatus, SessionStatus};
    use serde_json::{Value, json};

    use super::*;

    /// A census in which `members` answer unless they are in parentheses, and each session is `tag@owner`.
    fn census(members: &str, sessions: &str) -> Census {
        let member = |name: &str| MemberCensus {
            member: MemberStatus {
                name: name.trim_matches(['(', ')']).to_owned(),
                incarnation: 1,
                phase: Phase::Up,
                http: String::new(),
                shards: 1,
            },
            sessions: (!name.starts_with('(')).then(SessionStatus::default),
        };
        let session = |text: &str| {
            let (tag, owner) = text.split_once('@').unwrap();
            serde_json::from_value(json!({
                "tag": tag.parse::<u64>().unwrap(),
                "owner": owner,
                "ingress": "a",
                "transport": "websocket",
                "frozen": false,
            }))
            .unwrap()
        };
        Census {
            members: members.split_whitespace().map(member).collect(),
            sessions: sessions.split_whitespace().map(session).collect(),
        }
    }

    #[derive(Default)]
    struct Looks {
        picture: Picture,
        count: u64,
    }

    impl Looks {
        fn look(&mut self, members: &str, sessions: &str) -> Value {
            self.count += 1;
            let version = Version(self.count.to_string());
            json!(self.picture.take_in(version, &census(members, sessions)))
        }
    }

    #[test]
    fn the_first_look_tells_all_and_the_next_what_changed() {
        let mut looks = Looks::default();
        assert_eq!(
            looks.look("a b", "1@a 2@a"),
            json!({
                "version": "1",
                "from": null,
                "seen": [[1, "a", "a", "websocket"], [2, "a", "a", "websocket"]],
                "ended": [],
            })
        );
        assert_eq!(looks.look("a b", "1@a 2@a"), Value::Null);
        let moved = looks.look("a b", "1@a 2@b 3@b");
        assert_eq!(moved["from"], "1");
        assert_eq!(
            moved["seen"],
            json!([[2, "b", "a", "websocket"], [3, "b", "a", "websocket"]])
        );
        let whole = json!(looks.picture.whole());
        assert_eq!((&whole["version"], &whole["from"]), (&json!("3"), &Value::Null));
        assert_eq!(whole["seen"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn who_is_overlooked_once_has_not_ended() {
        let mut looks = Looks::default();
        looks.look("a b", "1@a");
        for _ in 1..UNSEEN_LOOKS {
            assert_eq!(looks.look("a b", ""), Value::Null);
        }
        assert_eq!(looks.look("a b", "1@b")["ended"], json!([]));
        for _ in 1..UNSEEN_LOOKS {
            assert_eq!(looks.look("a b", ""), Value::Null);
        }
        assert_eq!(looks.look("a b", "")["ended"], json!([1]));
    }

    #[test]
    fn sessions_of_a_silent_node_stay_where_they_were() {
        let mut looks = Looks::default();
        looks.look("a b", "1@b");
        for _ in 0..100 {
            assert_eq!(looks.look("a (b)", ""), Value::Null);
        }
        assert_eq!(looks.look("a b", "1@b"), Value::Null);
    }

    #[test]
    fn orphans_are_given_time_to_be_revived() {
        let mut looks = Looks::default();
        looks.look("a b", "1@b 2@b");
        for _ in 1..ORPHAN_LOOKS {
            assert_eq!(looks.look("a", ""), Value::Null);
        }
        let revived = looks.look("a", "1@a");
        assert_eq!(revived["seen"], json!([[1, "a", "a", "websocket"]]));
        assert_eq!(revived["ended"], json!([2]));
    }
}
