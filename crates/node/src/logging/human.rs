//! Lines for people: `node1 18:04:05.123 INFO  session starts session=Zx81 transport=polling`.

use std::fmt;

use hither::cluster::NodeName;
use jiff::Timestamp;
use tracing::{
    Event, Level,
    field::{Field, Visit},
};

use super::Format;

/// Lines for people.
pub(super) struct Human {
    pub(super) node: NodeName,
    pub(super) colours: bool,
}

impl Format for Human {
    fn write(&self, event: &Event<'_>, at: Timestamp, line: &mut String) {
        let level = *event.metadata().level();
        let paint = |line: &mut String, code: &str| {
            if self.colours {
                line.push_str(code);
            }
        };
        line.push_str(self.node.as_str());
        paint(line, DIM);
        line.push(' ');
        line.push_str(&time_of_day(at));
        paint(line, RESET);
        line.push(' ');
        paint(line, colour(level));
        line.push_str(padded(level));
        paint(line, RESET);
        // What is ours speaks for itself; of others one wants to know who it is.
        let target = event.metadata().target();
        if !target.starts_with("hither") {
            line.push(' ');
            line.push_str(target);
            line.push(':');
        }
        let mut fields = Fields {
            line,
            rest: String::new(),
        };
        event.record(&mut fields);
        let Fields { line, rest } = fields;
        if !rest.is_empty() {
            paint(line, DIM);
            line.push_str(&rest);
            paint(line, RESET);
        }
    }
}

const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        _ => "\x1b[34m",
    }
}

fn padded(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN ",
        Level::INFO => "INFO ",
        Level::DEBUG => "DEBUG",
        _ => "TRACE",
    }
}

/// Of `2026-11-20T18:04:05.123Z` what is between the letters.
fn time_of_day(at: Timestamp) -> String {
    let text = format!("{at:.3}");
    let time = text.split_once('T').map_or(text.as_str(), |(_, time)| time);
    time.trim_end_matches('Z').to_owned()
}

/// Puts the message into the line at once, and the other fields after it.
struct Fields<'a> {
    line: &'a mut String,
    rest: String,
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.line.push(' ');
            push_printable(self.line, value);
        } else {
            self.rest.push(' ');
            self.rest.push_str(field.name());
            self.rest.push('=');
            push_value(&mut self.rest, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// A value ends where the next field begins, so one with spaces is quoted, unless it is already.
fn push_value(line: &mut String, value: &str) {
    let is_quoted = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
    if !is_quoted && (value.is_empty() || value.contains(char::is_whitespace)) {
        line.push_str(&format!("{value:?}"));
    } else {
        push_printable(line, value);
    }
}

/// A line stays one line, and nothing in it speaks to a terminal.
fn push_printable(line: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::{debug, error, info, warn};

    use super::*;
    use crate::logging::tests::lines;

    fn plain() -> Human {
        Human {
            node: "node1".parse().unwrap(),
            colours: false,
        }
    }

    #[test]
    fn a_line_begins_with_the_node_and_tells_message_and_fields() {
        let lines = lines(plain(), || {
            info!(target: "hither::sessions", session = "Zx81", sockets = 3, "session starts");
            warn!(target: "hither::sessions", "late");
        });
        assert_eq!(
            lines,
            [
                "node1 18:04:05.123 INFO  session starts session=Zx81 sockets=3",
                "node1 18:04:05.123 WARN  late"
            ]
        );
    }

    #[test]
    fn fields_before_and_after_the_message_follow_it() {
        let lines = lines(
            plain(),
            || info!(target: "hither", first = 1, message = "in the middle", last = 2),
        );
        assert_eq!(lines, ["node1 18:04:05.123 INFO  in the middle first=1 last=2"]);
    }

    #[test]
    fn libraries_are_named() {
        let lines = lines(plain(), || error!(target: "chitchat::server", "no seed"));
        assert_eq!(lines, ["node1 18:04:05.123 ERROR chitchat::server: no seed"]);
    }

    #[test]
    fn nothing_breaks_a_line_or_speaks_to_the_terminal() {
        let evil = "a\nnode2 18:04:05.123 INFO  b\x1b[31m";
        let lines = lines(plain(), || {
            info!(target: "hither", agent = evil, shown = %evil, debugged = ?evil, "{evil}");
        });
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].contains(char::is_control), "{}", lines[0]);
        assert!(
            lines[0].starts_with(r"node1 18:04:05.123 INFO  a\nnode2 "),
            "{}",
            lines[0]
        );
    }

    #[test]
    fn values_with_spaces_are_quoted_once() {
        let lines = lines(plain(), || {
            debug!(target: "hither", reason = %"ping timeout", named = ?"a b", empty = "", said = "\"", one = "x", "closed");
        });
        assert_eq!(
            lines,
            [r#"node1 18:04:05.123 DEBUG closed reason="ping timeout" named="a b" empty="" said=" one=x"#]
        );
    }

    #[test]
    fn colours_are_around_and_not_within_words() {
        let format = Human {
            colours: true,
            ..plain()
        };
        let lines = lines(format, || info!(target: "hither", n = 1, "hello"));
        assert_eq!(
            lines,
            ["node1\x1b[2m 18:04:05.123\x1b[0m \x1b[32mINFO \x1b[0m hello\x1b[2m n=1\x1b[0m"]
        );
    }
}
