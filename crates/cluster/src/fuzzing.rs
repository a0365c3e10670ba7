//! What the fuzz targets (`fuzz/`) reach of this crate. Only in builds with the feature `fuzzing`.

#![allow(clippy::panic, reason = "so a fault is found")]

use chitchat::{ChitchatMessage, Deserializable};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    ask::{Answer, Ask, LinkMessage},
    entity::Entities,
    membership,
    version::{WireVersion, WireVersions},
    wire,
};
pub use crate::{links::fuzzing::hello, links::fuzzing::link};

/// Reads a message of a link.
pub fn link_message(bytes: &[u8]) {
    again::<LinkMessage>(bytes);
}

/// Reads what links carry for the lanes. The first byte says what it is taken for.
pub fn payload<E: Entities>(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    match kind % 6 {
        0 => again::<Ask<E>>(bytes),
        1 => again::<Answer<E>>(bytes),
        2 => again::<E::Direct>(bytes),
        3 => again::<E::Snapshot>(bytes),
        4 => again::<E::Delta>(bytes),
        _ => again::<E::Publication>(bytes),
    }
}

/// Reads a datagram of gossip: as it comes, and as it is once it has been opened.
pub fn gossip(mut bytes: &[u8]) {
    membership::fuzzing::datagram(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        membership::fuzzing::advertisement(text);
        if let Ok(versions) = text.parse::<WireVersions>() {
            assert_eq!(versions.to_string().parse(), Ok(versions));
        }
    }
    // Only read: what comes is never sent on, and the library writes only what it has made itself.
    drop(ChitchatMessage::deserialize(&mut bytes));
}

/// Reads a value. What was read can be written, and is read again.
pub(crate) fn again<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(value) = wire::decode::<T>(bytes) else {
        return;
    };
    match wire::encode(WireVersion::broadcast(), &value) {
        Ok(written) => assert!(
            wire::decode::<T>(&written).is_ok(),
            "what was written cannot be read"
        ),
        Err(error) => panic!("what was read cannot be written: {error}"),
    }
}
