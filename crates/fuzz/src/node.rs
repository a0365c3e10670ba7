//! What comes to the cluster ports.

/// Datagrams of gossip, and what is in them once they have been opened.
pub fn gossip(bytes: &[u8]) {
    hither_cluster::fuzzing::gossip(bytes);
}

/// The first bytes on a connection, and what is said under the keys that come of them.
pub fn hello(bytes: &[u8]) {
    hither_cluster::fuzzing::hello(bytes);
}

/// What crosses a link at once.
pub fn link_envelope(bytes: &[u8]) {
    hither_cluster::fuzzing::link(bytes);
}

/// One message of it.
pub fn link_message(bytes: &[u8]) {
    hither_cluster::fuzzing::link_message(bytes);
}

/// What such messages carry for sessions.
pub fn link_payload(bytes: &[u8]) {
    hither::fuzzing::link_payload(bytes);
}
