//! Between those who log and the log: a buffer of its own, so that a log that nobody reads stops nobody.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Bytes that may wait to be written. What comes beyond is dropped, and counted.
const LIMIT: usize = 1 << 20;

/// Lines on their way to the log. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something has come, or all of it is written.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that had no room since somebody was last told of such.
    dropped: u64,
    /// Whether something is being written.
    writing: bool,
}

impl Queue {
    /// Adds a whole line, unless there is no room. Never waits for the log.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len() + line.len() > LIMIT {
            state.dropped += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.0.changed.notify_all();
    }

    /// Has a thread write what comes, as long as the process lives. It says how many lines were dropped as soon as there is
    /// room again: `tell` logs that.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn write_to(&self, log: impl Write + Send + 'static, tell: fn(u64)) -> io::Result<()> {
        let queue = self.clone();
        thread::Builder::new()
            .name("log".into())
            .spawn(move || queue.write_all(log, tell))?;
        Ok(())
    }

    /// Waits until all lines are written, but no longer than that.
    pub(super) fn flush(&self, patience: Duration) {
        let is_busy = |state: &mut State| state.writing || !state.waiting.is_empty();
        // Who reads no log in time does without the last lines.
        drop(self.0.changed.wait_timeout_while(self.lock(), patience, is_busy));
    }

    fn write_all(&self, mut log: impl Write, tell: fn(u64)) {
        let mut lines = Vec::new();
        loop {
            let mut state = self
                .0
                .changed
                .wait_while(self.lock(), |state| state.waiting.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut lines, &mut state.waiting);
            let dropped = std::mem::take(&mut state.dropped);
            state.writing = true;
            drop(state);
            // A log that cannot be written leaves nobody to tell.
            drop(log.write_all(&lines).and_then(|()| log.flush()));
            lines.clear();
            if dropped > 0 {
                tell(dropped);
            }
            self.lock().writing = false;
            self.0.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A log that takes a write only when the test lets it.
    struct Reluctant {
        permits: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(io::Error::other)?;
            self.written.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    static DROPPED: AtomicU64 = AtomicU64::new(0);

    fn tell(lines: u64) {
        DROPPED.fetch_add(lines, Ordering::Relaxed);
    }

    #[test]
    fn a_log_that_nobody_reads_costs_lines_which_are_counted_and_nothing_else() {
        let ((permit, permits), (written, read)) = (channel(), channel());
        let queue = Queue::default();
        queue.write_to(Reluctant { permits, written }, tell).unwrap();
        let line = [b'x'; 1000];
        // The writer takes some at once, and then hangs: twice the limit is too much in any case.
        let lines = 2 * LIMIT / line.len() + 2;
        for _ in 0..lines {
            queue.push(&line);
        }
        for _ in 0..lines {
            permit.send(()).unwrap();
        }
        queue.flush(PATIENCE);
        let written: usize = read.try_iter().map(|bytes| bytes.len()).sum();
        let dropped = DROPPED.load(Ordering::Relaxed) as usize;
        assert!(dropped > 0, "there was room for all");
        assert_eq!(written / line.len() + dropped, lines);
        queue.push(b"again");
        queue.flush(PATIENCE);
        assert_eq!(read.try_recv().unwrap(), b"again");
    }

    #[test]
    fn a_flush_waits_until_all_is_written_and_not_for_ever() {
        let ((permit, permits), (written, read)) = (channel(), channel());
        let queue = Queue::default();
        queue.write_to(Reluctant { permits, written }, |_| {}).unwrap();
        queue.push(b"last words");
        queue.flush(Duration::from_millis(10));
        assert!(read.try_recv().is_err());
        permit.send(()).unwrap();
        queue.flush(PATIENCE);
        assert_eq!(read.try_recv().unwrap(), b"last words");
    }
}
