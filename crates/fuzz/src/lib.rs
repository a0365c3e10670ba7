//! What is done with made-up bytes, for each decoder: it must not panic, and what it takes must be as it says.
//!
//! A target in `fuzz/fuzz_targets/` calls each of these, and `tests/corpus.rs` calls all with the corpora in `fuzz/corpus/`.

#![allow(clippy::panic, reason = "by a panic a target says that something is wrong")]

mod client;
mod node;
mod replication;

pub use client::{frame, offset, packet, payload, pid, placeholders, query, sid};
pub use node::{gossip, hello, link_envelope, link_message, link_payload};
pub use replication::replication;

/// Does something with bytes, and panics when it finds a fault.
pub type Target = fn(&[u8]);

/// Every target, by name.
pub const TARGETS: [(&str, Target); 14] = [
    ("frame", frame),
    ("gossip", gossip),
    ("hello", hello),
    ("link_envelope", link_envelope),
    ("link_message", link_message),
    ("link_payload", link_payload),
    ("offset", offset),
    ("packet", packet),
    ("payload", payload),
    ("pid", pid),
    ("placeholders", placeholders),
    ("query", query),
    ("replication", replication),
    ("sid", sid),
];
