//! The limit on open files: every connection is one.

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use crate::http::MAX_REFUSALS;

/// Files that clients leave for what the node itself opens: links to peers and those that it passes on for others, its
/// listeners, its store, and who is told that there is no room.
const RESERVED: u64 = 1024;

/// What a small cluster needs of them, beside those who are told that there is no room.
const NEEDED: u64 = 64;

/// Raises this process's limit on open files to the highest that it may have, and says what that is: the soft limit
/// that processes start with is for programs that cannot cope with more, at 1024 on many systems.
pub(crate) fn raise_open_files() -> Result<Option<u64>, Errno> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?;
    Ok(maximum)
}

/// How many of these open files clients may have, so that a node which is full of them still reaches its peers. Where
/// there are few, a quarter is left, or what is needed, if that is more.
pub(crate) fn for_clients(open_files: u64) -> u32 {
    let reserved = RESERVED.min((open_files / 4).max(NEEDED + MAX_REFUSALS as u64));
    // One in any case, for none would mean that there is no limit.
    let left = open_files.saturating_sub(reserved).max(1);
    u32::try_from(left).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_do_not_get_all() {
        for (open_files, expected) in [
            (0, 1),
            (100, 1),
            (256, 128),
            (512, 384),
            (1024, 768),
            (1 << 20, (1 << 20) - 1024),
            (u64::MAX, u32::MAX),
        ] {
            assert_eq!(for_clients(open_files), expected);
        }
    }
}
