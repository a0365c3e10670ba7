//! Whether the store is whole.

use std::fmt;

use crate::{
    db::{
        conn::{Columns, Conn, Dialect},
        migrate,
    },
    error::StoreError,
    store::Store,
};

/// What is in the store, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Steps of the schema.
    pub schema: i64,
    /// Members and guests.
    pub persons: u64,
    /// Rooms of all kinds.
    pub rooms: u64,
    /// Messages, also those that are deleted but have a number.
    pub messages: u64,
    /// Sentences; none when all is well.
    pub problems: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            schema,
            persons,
            rooms,
            messages,
            problems,
        } = self;
        write!(
            f,
            "schema {schema}: {persons} persons, {rooms} rooms, {messages} messages"
        )?;
        problems.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl Store {
    /// Looks through all that is stored. Nodes may go on meanwhile.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn check(&self) -> Result<Report, StoreError> {
        let mut connection = self.maintenance().await?;
        let mut conn = connection.conn();
        let mut problems = Vec::new();
        if conn.dialect == Dialect::Sqlite {
            sqlite(&mut conn, &mut problems).await?;
        }
        conn.begin_snapshot().await?;
        let rows = conn.statement(
            "SELECT rooms.id AS id, first_number, last_number, COUNT(number) AS count, \
             COALESCE(MIN(number), 0) AS least, COALESCE(MAX(number), 0) AS most \
             FROM rooms LEFT JOIN messages ON messages.room = rooms.id \
             GROUP BY rooms.id, first_number, last_number ORDER BY rooms.id",
        );
        for row in conn.all(rows).await? {
            let (first, last) = (row.integer("first_number")?, row.integer("last_number")?);
            let counted = (row.integer("count")?, row.integer("least")?, row.integer("most")?);
            let right = if last < first {
                (0, 0, 0)
            } else {
                (last + 1 - first, first, last)
            };
            if counted != right {
                let room = crate::RoomId::from_raw(row.integer("id")?);
                problems.push(format!(
                    "room {room} should have messages {first} to {last}, and has {} from {} to {}",
                    counted.0, counted.1, counted.2
                ));
            }
        }
        let report = Report {
            schema: migrate::version(&mut conn).await?,
            persons: count(&mut conn, "SELECT COUNT(*) AS count FROM persons").await?,
            rooms: count(&mut conn, "SELECT COUNT(*) AS count FROM rooms").await?,
            messages: count(&mut conn, "SELECT COUNT(*) AS count FROM messages").await?,
            problems,
        };
        conn.command("COMMIT").await?;
        connection.close().await?;
        Ok(report)
    }
}

async fn count(conn: &mut Conn<'_>, statement: &'static str) -> Result<u64, StoreError> {
    let statement = conn.statement(statement);
    Ok(conn.one(statement).await?.integer("count")?.unsigned_abs())
}

/// PostgreSQL has tools of its own for this, `pg_amcheck` among them.
async fn sqlite(conn: &mut Conn<'_>, problems: &mut Vec<String>) -> Result<(), StoreError> {
    for row in conn.all(conn.statement("PRAGMA integrity_check(20)")).await? {
        let found = row.text("integrity_check")?;
        if found != "ok" {
            problems.push(format!("the file is damaged: {found}"));
        }
    }
    if !conn
        .all(conn.statement("PRAGMA foreign_key_check"))
        .await?
        .is_empty()
    {
        problems.push("some rows refer to others that are not there".into());
    }
    Ok(())
}
