//! CPU time and memory of processes, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context, Result, anyhow};
use rustix::param::clock_ticks_per_second;

/// A set of processes that are measured together, such as the nodes of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Processes(Vec<u32>);

impl Processes {
    /// These processes.
    pub(crate) fn new(pids: Vec<u32>) -> Self {
        Self(pids)
    }

    /// This process.
    pub(crate) fn own() -> Self {
        Self(vec![std::process::id()])
    }

    /// The CPU time that all of them have used, user and system, of all their threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        self.0.iter().map(|pid| cpu_of(*pid)).sum()
    }

    /// Their resident memory in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        self.0.iter().map(|pid| resident_of(*pid)).sum()
    }
}

fn cpu_of(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
    let ticks = cpu_ticks(&stat).ok_or_else(|| anyhow!("{path} is not as proc(5) says: {stat}"))?;
    Ok(Duration::from_secs_f64(
        ticks as f64 / clock_ticks_per_second() as f64,
    ))
}

/// The fields `utime` and `stime` of `/proc/PID/stat`. They are counted from the end of the name, which may have blanks in it.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident_of(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    resident(&status).ok_or_else(|| anyhow!("{path} names no VmRSS: is the process a zombie?"))
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_read_behind_a_name_with_blanks_and_parentheses() {
        let stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0";
        assert_eq!(cpu_ticks(stat), Some(200));
        assert_eq!(cpu_ticks("42 nonsense"), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t   2048 kB\n"), Some(2048 * 1024));
        assert_eq!(resident("Name:\tx\n"), None);
    }

    #[test]
    fn the_own_process_can_be_measured() {
        assert!(Processes::own().resident().unwrap() > 0);
        assert!(Processes::own().cpu().is_ok());
    }
}
