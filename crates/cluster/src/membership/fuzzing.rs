//! What the fuzz targets reach of membership.

#![allow(clippy::panic, reason = "so a fault is found")]

use std::sync::LazyLock;

use super::{
    advertisement::{Advertisement, read_counted_out},
    datagram,
};
use crate::{
    member::{Incarnation, NodeId, NodeName},
    secret::{GossipKeys, Secret, Secrets},
};

static KEYS: LazyLock<GossipKeys> = LazyLock::new(|| Secrets::from(Secret::well_known()).gossip_keys());

/// Opens a datagram of somebody who knows no secret, and reads what somebody would say who knows it.
pub(crate) fn datagram(bytes: &[u8]) {
    assert!(datagram::open(&KEYS, bytes).is_err());
    datagram::fuzzing::message(bytes);
}

/// Reads what a node says of itself: a key and a value on each line.
pub(crate) fn advertisement(text: &str) {
    let value_of = |wanted: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.find_map(|(key, value)| (key == wanted).then_some(value))
    };
    let id = NodeId {
        name: NodeName::default(),
        incarnation: Incarnation(1),
    };
    read_counted_out(&id, value_of);
    if let Ok(Some(advertisement)) = Advertisement::read(value_of) {
        let written = advertisement.entries();
        let value_of = |wanted: &str| {
            let found = written.iter().find(|(key, _)| key == wanted);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(Advertisement::read(value_of).ok(), Some(Some(advertisement)));
    }
}
