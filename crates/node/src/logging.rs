//! The log: one line per event on standard error, each of which begins with the node's name.
//!
//! Lines are whole and single whatever is in them, so that those of many nodes can be merged, and no client can write
//! lines of its own through what it sends. A thread writes them: a log that nobody reads stops nothing but itself.

mod human;
mod json;
mod queue;

use std::{
    cell::Cell,
    io::{self, IsTerminal},
    panic::PanicHookInfo,
    time::Duration,
};

use hither::cluster::NodeName;
use jiff::Timestamp;
use tracing::{Event, Subscriber, error, warn};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry,
};

use self::{human::Human, json::Json, queue::Queue};
use crate::cli::{LogArgs, LogFormat};

/// How long the last lines may take to be written when the process ends.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The log of this process. Its last lines are written when it is dropped.
#[must_use]
pub(crate) struct Log(Queue);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush(LAST_LINES);
    }
}

/// Begins to log, for the whole process. Panics are logged from now on, too.
///
/// # Errors
/// When there can be no thread that writes.
pub(crate) fn start(node: &NodeName, args: &LogArgs) -> io::Result<Log> {
    let format: Box<dyn Format> = match args.format {
        LogFormat::Human => Box::new(Human {
            node: node.clone(),
            colours: wants_colours(),
        }),
        LogFormat::Json => Box::new(Json { node: node.clone() }),
    };
    let queue = Queue::default();
    queue.write_to(io::stderr(), |lines| {
        warn!(
            lines,
            "lines of the log were dropped, for they came faster than they were read"
        );
    })?;
    let lines = Lines {
        format,
        queue: queue.clone(),
    };
    let subscriber = registry().with(args.filter.to_env_filter()).with(lines);
    // Whoever embeds this may have set up a log of their own.
    drop(tracing::subscriber::set_global_default(subscriber));
    std::panic::set_hook(Box::new(log_panic));
    Ok(Log(queue))
}

/// Colours are for terminals, and for those who have not declined them (https://no-color.org).
fn wants_colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("a value that is no text");
    error!(target: "hither::panic", at = panic.location().map(tracing::field::display), "panicked: {message}");
}

/// How an event looks as a line.
trait Format: Send + Sync {
    /// Appends the event to the line, without its end.
    fn write(&self, event: &Event<'_>, at: Timestamp, line: &mut String);
}

/// Makes lines.
struct Lines {
    format: Box<dyn Format>,
    queue: Queue,
}

thread_local! {
    /// Kept, so that a line costs no allocation. Taken while in use, so that a value that logs while it is formatted
    /// does no harm.
    static LINE: Cell<String> = const { Cell::new(String::new()) };
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = LINE.take();
        line.clear();
        self.format.write(event, Timestamp::now(), &mut line);
        line.push('\n');
        self.queue.push(line.as_bytes());
        LINE.set(line);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Collects lines instead of writing them.
    struct Collected(Box<dyn Format>, Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Collected {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut line = String::new();
            let at = "2026-11-20T18:04:05.123456Z".parse().unwrap();
            self.0.write(event, at, &mut line);
            self.1.lock().unwrap().push(line);
        }
    }

    pub(super) fn lines(format: impl Format + 'static, log: impl FnOnce()) -> Vec<String> {
        let lines = Arc::default();
        let subscriber = registry().with(Collected(Box::new(format), Arc::clone(&lines)));
        tracing::subscriber::with_default(subscriber, log);
        let lines = lines.lock().unwrap();
        lines.clone()
    }
}
