//! What a node says of itself, as gossiped keys and values.

use std::{fmt, net::SocketAddr, str::FromStr};

use crate::{
    member::{Incarnation, NodeId, NodeName, Phase},
    version::WireVersions,
};

const PHASE: &str = "phase";
const HTTP: &str = "http";
const LINK: &str = "link";
const SHARDS: &str = "shards";
const WIRE: &str = "wire";
const COUNTED_OUT: &str = "counted-out/";

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Advertisement {
    pub(super) stage: Stage,
    pub(super) http: SocketAddr,
    pub(super) link: SocketAddr,
    pub(super) shards: u32,
    /// What it speaks on links.
    pub(super) wire: WireVersions,
}

/// How far a node says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is a member.
    In(Phase),
    /// It has left for good, in this life.
    Gone,
}

/// A value that no node of this version writes.
#[derive(Debug, thiserror::Error)]
#[error("{value:?} is no {key}; does that node run another version?")]
pub(super) struct Unreadable {
    key: &'static str,
    value: String,
}

impl Advertisement {
    /// The keys and values that say this.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        let entry = |key: &str, value: &dyn fmt::Display| (key.to_owned(), value.to_string());
        let Self {
            stage,
            http,
            link,
            shards,
            wire,
        } = self;
        vec![
            stage_entry(*stage),
            entry(HTTP, http),
            entry(LINK, link),
            entry(SHARDS, shards),
            entry(WIRE, wire),
        ]
    }

    /// Reads what a node says; `None` while some of it is still under way.
    pub(super) fn read<'a>(value_of: impl Fn(&str) -> Option<&'a str>) -> Result<Option<Self>, Unreadable> {
        let (Some(stage), Some(http), Some(link), Some(shards), Some(wire)) = (
            value_of(PHASE),
            value_of(HTTP),
            value_of(LINK),
            value_of(SHARDS),
            value_of(WIRE),
        ) else {
            return Ok(None);
        };
        Ok(Some(Self {
            stage: parse(PHASE, stage)?,
            http: parse(HTTP, http)?,
            link: parse(LINK, link)?,
            shards: parse(SHARDS, shards)?,
            wire: parse(WIRE, wire)?,
        }))
    }
}

/// The key and value that tell a stage.
pub(super) fn stage_entry(stage: Stage) -> (String, String) {
    (PHASE.to_owned(), stage.to_string())
}

/// The key and value that tell how often a node has counted out a life of another.
///
/// A count rather than a mark, so that whoever is counted out sees it even when it is counted in again at once.
pub(super) fn counted_out_entry(id: &NodeId, times: u64) -> (String, String) {
    (counted_out_key(&id.name), format!("{} {times}", id.incarnation.0))
}

/// The key under which a node tells how often it has counted out another.
pub(super) fn counted_out_key(name: &NodeName) -> String {
    format!("{COUNTED_OUT}{name}")
}

/// How often a node says it has counted out this life of `id`.
pub(super) fn read_counted_out<'a>(id: &NodeId, value_of: impl Fn(&str) -> Option<&'a str>) -> u64 {
    let read = || {
        let (incarnation, times) = value_of(&counted_out_key(&id.name))?.split_once(' ')?;
        (Incarnation(incarnation.parse().ok()?) == id.incarnation).then(|| times.parse().ok())?
    };
    read().unwrap_or(0)
}

fn parse<T: FromStr>(key: &'static str, value: &str) -> Result<T, Unreadable> {
    value.parse().map_err(|_| Unreadable {
        key,
        value: value.to_owned(),
    })
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In(Phase::Joining) => "joining",
            Self::In(Phase::Up) => "up",
            Self::In(Phase::Leaving) => "leaving",
            Self::Gone => "gone",
        })
    }
}

impl FromStr for Stage {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "joining" => Ok(Self::In(Phase::Joining)),
            "up" => Ok(Self::In(Phase::Up)),
            "leaving" => Ok(Self::In(Phase::Leaving)),
            "gone" => Ok(Self::Gone),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(entries: &HashMap<String, String>) -> Result<Option<Advertisement>, Unreadable> {
        Advertisement::read(|key| entries.get(key).map(String::as_str))
    }

    fn advertisement(stage: Stage) -> Advertisement {
        Advertisement {
            stage,
            http: "127.0.0.1:9001".parse().unwrap(),
            link: "[::1]:7001".parse().unwrap(),
            shards: 1024,
            wire: WireVersions::this_build(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for stage in [
            Stage::In(Phase::Joining),
            Stage::In(Phase::Up),
            Stage::In(Phase::Leaving),
            Stage::Gone,
        ] {
            let written = advertisement(stage);
            assert_eq!(
                read(&written.entries().into_iter().collect()).unwrap(),
                Some(written)
            );
        }
    }

    #[test]
    fn half_an_advertisement_is_none_yet() {
        let entries: HashMap<_, _> = advertisement(Stage::In(Phase::Up))
            .entries()
            .into_iter()
            .collect();
        for key in entries.keys() {
            let mut entries = entries.clone();
            entries.remove(key);
            assert_eq!(read(&entries).unwrap(), None, "without {key}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let mut entries: HashMap<_, _> = advertisement(Stage::In(Phase::Up))
            .entries()
            .into_iter()
            .collect();
        entries.insert(SHARDS.to_owned(), "many".to_owned());
        let error = read(&entries).unwrap_err().to_string();
        assert!(error.contains("shards") && error.contains("many"), "{error}");
    }

    #[test]
    fn being_counted_out_concerns_one_life() {
        let id = |incarnation| NodeId {
            name: "node1".parse().unwrap(),
            incarnation: Incarnation(incarnation),
        };
        let (key, value) = counted_out_entry(&id(7), 3);
        let value_of = |asked: &str| (asked == key).then_some(value.as_str());
        assert_eq!(read_counted_out(&id(7), value_of), 3);
        assert_eq!(read_counted_out(&id(8), value_of), 0);
        assert_eq!(read_counted_out(&id(7), |_| None), 0);
    }
}
