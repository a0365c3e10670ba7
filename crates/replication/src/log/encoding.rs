//! How a log is written and read: its entries without their positions, which follow from the last one and from the terms.
//! So what is read is a log, or an error.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::Error,
    ser::{SerializeSeq, SerializeStruct},
};

use super::{Body, Entry, Log};
use crate::{
    application::Application,
    ids::{Term, believable_number},
};

/// The entries' bodies.
struct Bodies<'a, A: Application>(&'a Log<A>);

impl<A: Application> Serialize for Bodies<'_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bodies = serializer.serialize_seq(Some(self.0.entries.len()))?;
        for entry in &self.0.entries {
            bodies.serialize_element(&entry.body)?;
        }
        bodies.end()
    }
}

impl<A: Application> Serialize for Log<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_struct("Log", 3)?;
        parts.serialize_field("last", &self.last.number)?;
        parts.serialize_field("terms", &self.terms)?;
        parts.serialize_field("bodies", &Bodies(self))?;
        parts.end()
    }
}

#[derive(Deserialize)]
#[serde(bound = "", rename = "Log")]
struct Parts<A: Application> {
    #[serde(deserialize_with = "believable_number")]
    last: u64,
    terms: Vec<(Term, u64)>,
    bodies: Vec<Body<A>>,
}

/// Why parts are no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NoLog {
    #[error("a log of {last} entries cannot have {bodies} of them")]
    Short { last: u64, bodies: usize },
    #[error("the terms of a log are not in order")]
    Terms,
}

impl<A: Application> TryFrom<Parts<A>> for Log<A> {
    type Error = NoLog;

    fn try_from(parts: Parts<A>) -> Result<Self, NoLog> {
        let Parts { last, terms, bodies } = parts;
        let short = NoLog::Short {
            last,
            bodies: bodies.len(),
        };
        let floor = last.checked_sub(bodies.len() as u64).ok_or(short)?;
        let are_ordered =
            terms.is_sorted_by(|(former, first), (later, second)| former < later && first < second);
        let begins = terms.first().map_or(0, |(_, first)| *first);
        let ends = terms.last().map_or(0, |(_, first)| *first);
        let is_all = match last {
            0 => terms.is_empty(),
            _ => begins >= 1 && begins <= floor + 1,
        };
        if !are_ordered || !is_all || ends > last {
            return Err(NoLog::Terms);
        }
        let mut log = Self {
            terms,
            ..Self::default()
        };
        let at = log.position(last);
        for (number, body) in (floor + 1..).zip(bodies) {
            let at = log.position(number);
            let entry = Entry { at, body };
            log.bytes += entry.size();
            log.entries.push_back(entry);
        }
        log.last = at;
        Ok(log)
    }
}

impl<'de, A: Application> Deserialize<'de> for Log<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Parts::deserialize(deserializer)?;
        Self::try_from(parts).map_err(D::Error::custom)
    }
}
