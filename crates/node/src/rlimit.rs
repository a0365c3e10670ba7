//! The limit on open files: every WebSocket is one.

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

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
