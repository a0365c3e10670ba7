//! Lines for programs: `{"time":…,"node":…,"level":…,"target":…,"message":…,"fields":{…}}`.

use std::fmt;

use hither::cluster::NodeName;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tracing::{
    Event,
    field::{Field, Visit},
};

use super::Format;

/// Lines for programs.
pub(super) struct Json {
    pub(super) node: NodeName,
}

impl Format for Json {
    fn write(&self, event: &Event<'_>, at: Timestamp, line: &mut String) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let object = Object {
            time: format!("{at:.3}"),
            node: self.node.as_str(),
            level: metadata.level().as_str(),
            target: metadata.target(),
            message: fields.message,
            fields: fields.rest,
        };
        match serde_json::to_string(&object) {
            Ok(object) => line.push_str(&object),
            // Text and numbers can always be written.
            Err(error) => line.push_str(&json!({"message": error.to_string()}).to_string()),
        }
    }
}

#[derive(Serialize)]
struct Object<'a> {
    time: String,
    node: &'a str,
    level: &'a str,
    target: &'a str,
    message: String,
    fields: Map<String, Value>,
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Map<String, Value>,
}

impl Fields {
    fn record(&mut self, field: &Field, value: impl Into<Value>) {
        self.rest.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else {
            self.record(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, value);
    }
}

#[cfg(test)]
mod tests {
    use tracing::info;

    use super::*;
    use crate::logging::tests::lines;

    #[test]
    fn every_line_is_an_object_with_the_node_in_it() {
        let lines = lines(
            Json {
                node: "node1".parse().unwrap(),
            },
            || {
                info!(target: "hither::x", session = %"Zx81", bytes = 3, ok = true, node = "other", "a\n\"line\"");
            },
        );
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].contains('\n'));
        assert_eq!(
            serde_json::from_str::<Value>(&lines[0]).unwrap(),
            json!({
                "time": "2026-11-20T18:04:05.123Z",
                "node": "node1",
                "level": "INFO",
                "target": "hither::x",
                "message": "a\n\"line\"",
                "fields": {"session": "Zx81", "bytes": 3, "ok": true, "node": "other"},
            })
        );
    }
}
