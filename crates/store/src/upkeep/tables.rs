//! The tables, in an order in which each refers to those before it only.

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Text,
    /// In an export as base64.
    Bytes,
}

/// A table, and what of it is exported.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
    /// In the order of these the rows are written, and read in again.
    pub(super) order: &'static str,
}

impl Table {
    pub(super) fn column_list(&self) -> String {
        self.columns
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

use Kind::{Bytes, Integer, Text};

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "persons",
        columns: &[
            ("id", Integer),
            ("kind", Text),
            ("name", Text),
            ("folded", Text),
            ("look", Text),
            ("look_as_written", Text),
            ("password", Text),
            ("token", Text),
            ("created", Integer),
        ],
        order: "id",
    },
    Table {
        name: "logins",
        columns: &[
            ("id", Text),
            ("person", Integer),
            ("label", Text),
            ("created", Integer),
            ("last_seen", Integer),
            ("idle", Integer),
            ("expires", Integer),
        ],
        order: "id",
    },
    Table {
        name: "rooms",
        columns: &[
            ("id", Integer),
            ("kind", Text),
            ("name", Text),
            ("folded", Text),
            ("look", Text),
            ("look_as_written", Text),
            ("pair", Text),
            ("topic", Text),
            ("created", Integer),
            ("first_number", Integer),
            ("last_number", Integer),
            ("last_time", Integer),
            ("last_change", Integer),
            ("full_at", Integer),
        ],
        order: "id",
    },
    Table {
        name: "memberships",
        columns: &[
            ("room", Integer),
            ("person", Integer),
            ("role", Text),
            ("invited_by", Text),
            ("since", Integer),
            ("place", Integer),
            ("muted", Integer),
            ("read_number", Integer),
        ],
        order: "room, person",
    },
    Table {
        name: "messages",
        columns: &[
            ("room", Integer),
            ("number", Integer),
            ("time", Integer),
            ("author", Integer),
            ("author_name", Text),
            ("author_kind", Text),
            ("client_id", Text),
            ("kind", Text),
            ("text", Text),
            ("reply_to", Integer),
            ("edited", Integer),
            ("deleted", Integer),
            ("change", Integer),
        ],
        // A search in SQLite relies on it.
        order: "room, number",
    },
    Table {
        name: "reactions",
        columns: &[
            ("room", Integer),
            ("number", Integer),
            ("emoji", Text),
            ("person", Integer),
            ("time", Integer),
        ],
        order: "room, number, emoji, person",
    },
    Table {
        name: "webhooks",
        columns: &[
            ("id", Integer),
            ("room", Integer),
            ("name", Text),
            ("secret", Text),
            ("created", Integer),
        ],
        order: "id",
    },
    Table {
        name: "attachments",
        columns: &[
            ("id", Integer),
            ("owner", Integer),
            ("room", Integer),
            ("number", Integer),
            ("name", Text),
            ("media_type", Text),
            ("size", Integer),
            ("width", Integer),
            ("height", Integer),
            ("created", Integer),
            ("preview", Bytes),
        ],
        order: "id",
    },
    Table {
        name: "attachment_parts",
        columns: &[("attachment", Integer), ("part", Integer), ("content", Bytes)],
        order: "attachment, part",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Attempts, buckets and chores are not worth keeping; steps are those of the new store; words are made of the messages.
    const NOT_EXPORTED: &[&str] = &["attempts", "buckets", "chores"];

    #[test]
    fn all_tables_and_columns_are_exported() {
        let schema = include_str!("../schema/postgres-1.sql").replace("UNLOGGED ", "");
        let mut tables = 0;
        for definition in schema.split("CREATE TABLE ").skip(1) {
            let (name, rest) = definition.split_once(" (").unwrap();
            if NOT_EXPORTED.contains(&name) {
                continue;
            }
            tables += 1;
            let table = TABLES
                .iter()
                .find(|table| table.name == name)
                .unwrap_or_else(|| panic!("{name}"));
            let body = rest.split("\n);").next().unwrap();
            let columns: Vec<_> = body
                .lines()
                .filter(|line| line.starts_with("    ") && !line.starts_with("     "))
                .filter_map(|line| line.split_whitespace().next())
                .filter(|word| word.chars().all(|char| char.is_ascii_lowercase() || char == '_'))
                .filter(|word| *word != "words")
                .collect();
            let exported: Vec<_> = table.columns.iter().map(|(name, _)| *name).collect();
            assert_eq!(exported, columns, "{name}");
        }
        assert_eq!(tables, TABLES.len());
    }
}
