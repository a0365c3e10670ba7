//! Search for words in a room.

use crate::{
    db::conn::Dialect,
    error::StoreError,
    model::{
        ids::{Number, RoomId},
        message::{Hits, MAX_PAGE},
    },
    ops::messages::{SELECT, first},
    store::Store,
};

/// Bytes of what is searched for.
const MAX_QUERY: usize = 500;
/// Words of it.
const MAX_WORDS: usize = 16;
/// Messages among which hits are looked for before all hits are gathered.
const NEWEST: u32 = 5_000;

impl Store {
    /// Messages of a room that have all the words, whatever their case, the newest first, at most `limit` and [`MAX_PAGE`].
    /// The last word may be the beginning of one. `before` is the number of the last hit that one has.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when there is no word, or too much.
    pub async fn search(
        &self,
        room: RoomId,
        query: &str,
        before: Option<Number>,
        limit: u32,
    ) -> Result<Hits, StoreError> {
        let words = words(query)?;
        let pattern = match self.dialect() {
            Dialect::Sqlite => fts5(room, &words),
            Dialect::Postgres => tsquery(&words),
        };
        let before = before.map_or(i64::MAX, Number::raw);
        let limit = i64::from(limit.clamp(1, MAX_PAGE));
        self.read(
            (room, pattern, before, limit),
            |(room, pattern, before, limit), conn| {
                Box::pin(async move {
                    let texts: &[String] = match conn.dialect {
                        Dialect::Sqlite => &[by_words()],
                        Dialect::Postgres => &[among_newest(), among_all()],
                    };
                    let mut rows = Vec::new();
                    for text in texts {
                        let statement = conn.statement(text).bind(room.raw()).bind(pattern.clone());
                        rows = conn.all(statement.bind(*before).bind(*limit + 1)).await?;
                        // A page with more behind it is the same wherever it is looked for.
                        if rows.len() as i64 > *limit {
                            break;
                        }
                    }
                    let (messages, more) = first(conn, &rows, *limit).await?;
                    Ok(Hits { messages, more })
                })
            },
        )
        .await
    }
}

/// For SQLite. The newest are found first, for messages of a room have ids in the order of their numbers; and the search ends
/// when there are enough. The planner must not begin with the messages instead.
fn by_words() -> String {
    format!(
        "{SELECT} WHERE messages.id IN (SELECT rowid FROM message_words WHERE message_words MATCH $2 \
           AND rowid < COALESCE( \
             (SELECT id FROM messages WHERE room = $1 AND number >= $3 ORDER BY number LIMIT 1), \
             9223372036854775807) \
           ORDER BY rowid DESC LIMIT $4) \
         ORDER BY messages.number DESC"
    )
}

/// What messages of a room are found by in PostgreSQL.
const TSQUERY: &str = "(CAST('@' || CAST($1 AS TEXT) AS tsquery) && to_tsquery('simple', $2))";

/// For PostgreSQL: hits among the [`NEWEST`] messages, read one after the other, which finds a page of a frequent word at once.
///
/// The database does not know how often a word occurs. Left alone it would read so for a rare one, too, through the whole room.
fn among_newest() -> String {
    format!(
        "{SELECT} WHERE messages.words @@ {TSQUERY} AND messages.room = $1 AND messages.number < $3 \
           AND messages.number > {{min}}($3, (SELECT last_number FROM rooms WHERE id = $1)) - {NEWEST} \
         ORDER BY messages.number DESC LIMIT $4"
    )
}

/// For PostgreSQL: all hits, gathered by the index of words. They are few when there is no page of them among the newest messages.
fn among_all() -> String {
    format!(
        "WITH hits AS MATERIALIZED (SELECT number FROM messages WHERE words @@ {TSQUERY} \
           AND room = $1 AND number < $3) \
         {SELECT} WHERE messages.room = $1 \
           AND messages.number IN (SELECT number FROM hits ORDER BY number DESC LIMIT $4) \
         ORDER BY messages.number DESC"
    )
}

/// What has letters or digits; the rest is neither stored nor found by the databases.
fn words(query: &str) -> Result<Vec<String>, StoreError> {
    if query.len() > MAX_QUERY {
        return Err(StoreError::Invalid(format!(
            "a search may have {MAX_QUERY} bytes; this has {}",
            query.len()
        )));
    }
    let words: Vec<_> = query
        .split(|char: char| !char.is_alphanumeric() && !unicode_normalization::char::is_combining_mark(char))
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(str::to_owned)
        .collect();
    match words.len() {
        0 => Err(StoreError::Invalid("a search needs a word".into())),
        1..=MAX_WORDS => Ok(words),
        many => Err(StoreError::Invalid(format!(
            "a search may have {MAX_WORDS} words; this has {many}"
        ))),
    }
}

/// In the syntax of FTS5. Words have no quotes in them.
fn fts5(room: RoomId, words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("room : \"{}\" AND text : ({} *)", room.raw(), words.join(" AND "))
}

/// In the syntax of `to_tsquery`, which takes no signs, so that the room is added by the statement. Words have no quotes in them.
fn tsquery(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    format!("{}:*", words.join(" & "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_no_words() {
        assert_eq!(
            words(" it's \"a\" NEAR(b*) -c:* \\ ").unwrap(),
            ["it", "s", "a", "NEAR", "b", "c"]
        );
        for nothing in ["", " ", "\"'*", "👍", "\0"] {
            assert!(
                matches!(words(nothing), Err(StoreError::Invalid(_))),
                "{nothing:?}"
            );
        }
        assert!(words(&"a ".repeat(MAX_WORDS + 1)).is_err());
        assert!(words(&"a".repeat(MAX_QUERY + 1)).is_err());
    }

    #[test]
    fn queries_are_of_one_room() {
        let (room, words) = (RoomId::from_raw(7), ["ab".to_owned(), "c".to_owned()]);
        assert_eq!(fts5(room, &words), r#"room : "7" AND text : ("ab" AND "c" *)"#);
        assert_eq!(tsquery(&words), "'ab' & 'c':*");
    }
}
