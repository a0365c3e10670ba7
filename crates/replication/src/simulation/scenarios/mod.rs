//! Schedules that break a core which lacks one of its rules. Each was found by reasoning or by a random schedule.
//!
//! The nodes: `o` holds the shard and `s` stands by, `x` and `y` are others, `j` joins and is preferred to all.

mod bounds;
mod custody;
mod leases;
mod splits;
mod topics;

use std::time::Duration;

use super::{node::Said, world::Script};

const SECOND: Duration = Duration::from_secs(1);
/// Longer than any time-out of the core.
const LONG: Duration = Duration::from_secs(8);

/// `o` holds, `s` stands by, and the others are there too.
fn started(names: &str) -> Script {
    let mut script = Script::new("josxy");
    script.start_together(names);
    script
}
