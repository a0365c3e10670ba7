//! Up to where a listener has heard, as text that it can show when it returns.
//!
//! The text has base64url characters alone: the life of the listener, the version of its memberships, and for each
//! membership that has moved on since what is replicated its number, how far it has moved, and the term if that is
//! another one. All numbers are LEB128.

use std::fmt::Debug;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::memberships::{Memberships, Slot, Version};
use crate::ids::{Position, Term};

/// No offset is longer: it names [no more](super::MOST_NAMED) memberships.
const MAX_BYTES: usize = 1280;

/// Up to where a listener has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    /// All that the memberships have which had ended at this version was heard.
    pub(super) version: Version,
    /// In order of the slots.
    pub(super) heard: Vec<(Slot, Position)>,
}

/// Why an offset says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It was written for another listener, or is no offset at all.
    Foreign,
    /// It is this listener's, and names what is not known.
    Unknown,
}

impl Offset {
    pub(super) fn encode<T: Clone + Ord + Debug>(&self, memberships: &Memberships<T>) -> String {
        let mut bytes = memberships.life().to_be_bytes().to_vec();
        put(&mut bytes, self.version.0);
        let mut next = 0;
        for (slot, at) in &self.heard {
            let base = memberships
                .get(*slot)
                .map_or(Position::START, |membership| membership.base(self.version));
            put(&mut bytes, u64::from(slot.0 - next));
            next = slot.0 + 1;
            let is_new_term = at.term != base.term;
            put(
                &mut bytes,
                (at.number - base.number) << 1 | u64::from(is_new_term),
            );
            if is_new_term {
                put(&mut bytes, u64::from(at.term.count()));
                bytes.extend(at.term.tag().to_be_bytes());
            }
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`encode`](Self::encode) has written for this listener, and believes nothing that cannot be.
    pub(super) fn decode<T: Clone + Ord + Debug>(
        text: &str,
        memberships: &Memberships<T>,
    ) -> Result<Self, Unreadable> {
        if text.len() > MAX_BYTES {
            return Err(Unreadable::Foreign);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Unreadable::Foreign)?;
        match bytes.split_first_chunk() {
            Some((life, rest)) if *life == memberships.life().to_be_bytes() => {
                Self::read(Bytes(rest), memberships).ok_or(Unreadable::Unknown)
            }
            _ => Err(Unreadable::Foreign),
        }
    }

    fn read<T: Clone + Ord + Debug>(mut rest: Bytes<'_>, memberships: &Memberships<T>) -> Option<Self> {
        let version = Version(rest.number()?);
        if version < memberships.oldest() || version > memberships.version() {
            return None;
        }
        let mut heard = Vec::new();
        let mut next = 0u32;
        while !rest.0.is_empty() {
            let slot = Slot(next.checked_add(u32::try_from(rest.number()?).ok()?)?);
            next = slot.0.checked_add(1)?;
            let membership = memberships.get(slot)?;
            if !membership.is_open(version) {
                return None;
            }
            let base = membership.base(version);
            let moved = rest.number()?;
            let term = if moved & 1 == 1 {
                let count = u32::try_from(rest.number()?).ok()?;
                Term::of(count, u64::from_be_bytes(rest.array()?))
            } else {
                base.term
            };
            let number = base.number.checked_add(moved >> 1)?;
            heard.push((slot, Position { term, number }));
        }
        Some(Self { version, heard })
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What is left to be read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            number |= bits
                .checked_shl(shift)
                .filter(|shifted| shifted >> shift == bits)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}
