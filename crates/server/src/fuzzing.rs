//! What the fuzz targets (`fuzz/`) reach of this crate. Only in builds with the feature `fuzzing`.

#![allow(clippy::panic, reason = "so a fault is found")]

use std::sync::LazyLock;

use hither_cluster::Secret;
use hither_socketio::Offset;

pub use crate::ingress::fuzzing::{frames, request};
use crate::{
    session_ids::SessionIds,
    sessions::{self, Sessions},
};

static IDS: LazyLock<SessionIds> = LazyLock::new(|| SessionIds::new(&Secret::random().into()));

/// Looks at a session id that nobody has minted.
pub fn sid(text: &str) {
    assert!(!IDS.has_minted(text), "{text} was taken for one of ours");
}

/// Reads an offset; what it says is read again.
pub fn offset(offset: &Offset) {
    if let Some(again) = sessions::fuzzing::offset_again(offset) {
        assert_eq!(sessions::fuzzing::offset_again(&again).as_ref(), Some(&again));
    }
}

/// Reads what links carry for sessions.
pub fn link_payload(bytes: &[u8]) {
    hither_cluster::fuzzing::payload::<Sessions>(bytes);
}
