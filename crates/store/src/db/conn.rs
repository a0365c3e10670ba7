//! One connection, and the little in which the two databases differ.

use sqlx::{
    AnyConnection, AssertSqlSafe, Row,
    any::{Any, AnyArguments, AnyRow},
    query::Query,
};

use crate::error::StoreError;

/// A statement with its arguments.
pub(crate) type Statement = Query<'static, Any, AnyArguments>;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// SQLite 3.45 or newer, which is in the binary.
    Sqlite,
    /// PostgreSQL 13 or newer.
    Postgres,
}

impl Dialect {
    /// A statement in which `{now}` is the time in milliseconds, `{max}` and `{min}` are functions of two values, and `{for update}`
    /// locks the rows that are read, which `{skip locked}` does without those that others have locked. A transaction of SQLite
    /// that writes has locked everything.
    pub(crate) fn statement(self, text: &str) -> Statement {
        let text = if text.contains('{') {
            text.replace("{now}", self.now())
                .replace("{for update}", self.word("", "FOR UPDATE"))
                .replace("{skip locked}", self.word("", "FOR UPDATE SKIP LOCKED"))
                .replace("{max}", self.word("MAX", "GREATEST"))
                .replace("{min}", self.word("MIN", "LEAST"))
        } else {
            text.to_owned()
        };
        // Texts are put together of constants of this crate; all that comes from outside is bound.
        sqlx::query(AssertSqlSafe(text))
    }

    const fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            Self::Postgres => "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)",
        }
    }

    const fn word(self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
        }
    }

    /// A table of what is in the array of objects that the first argument is, as JSON.
    pub(crate) fn table(self, columns: &[(&str, Column)]) -> String {
        let join = |of: &dyn Fn(&str, Column) -> String| {
            columns
                .iter()
                .map(|(name, column)| of(name, *column))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self {
            Self::Sqlite => {
                let fields = join(&|name, _| format!("value ->> '{name}' AS {name}"));
                format!("(SELECT {fields} FROM json_each($1)) AS input")
            }
            Self::Postgres => {
                let fields = join(&|name, column| format!("{name} {}", column.postgres()));
                format!("jsonb_to_recordset(CAST($1 AS jsonb)) AS input({fields})")
            }
        }
    }
}

/// The type of a column in [`Dialect::table`].
#[derive(Clone, Copy)]
pub(crate) enum Column {
    /// 64 bits.
    Integer,
    /// Any text.
    Text,
}

impl Column {
    const fn postgres(self) -> &'static str {
        match self {
            Self::Integer => "BIGINT",
            Self::Text => "TEXT",
        }
    }
}

/// "Result and Error Codes" of SQLite.
const SQLITE_BUSY: u32 = 5;

/// A connection, perhaps in a transaction.
pub(crate) struct Conn<'a> {
    pub(crate) any: &'a mut AnyConnection,
    pub(crate) dialect: Dialect,
}

impl Conn<'_> {
    pub(crate) fn statement(&self, text: &str) -> Statement {
        self.dialect.statement(text)
    }

    pub(crate) async fn all(&mut self, statement: Statement) -> Result<Vec<AnyRow>, StoreError> {
        Ok(statement.fetch_all(&mut *self.any).await?)
    }

    pub(crate) async fn optional(&mut self, statement: Statement) -> Result<Option<AnyRow>, StoreError> {
        // All rows, not the first: a statement that writes and returns rows has to run to its end.
        Ok(self.all(statement).await?.into_iter().next())
    }

    pub(crate) async fn one(&mut self, statement: Statement) -> Result<AnyRow, StoreError> {
        self.optional(statement)
            .await?
            .ok_or_else(|| StoreError::internal(sqlx::Error::RowNotFound))
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, StoreError> {
        Ok(statement.execute(&mut *self.any).await?.rows_affected())
    }

    /// A statement without arguments; never prepared.
    pub(crate) async fn command(&mut self, text: &'static str) -> Result<(), StoreError> {
        sqlx::raw_sql(text).execute(&mut *self.any).await?;
        Ok(())
    }

    /// The same, of a statement that needs a lock of SQLite; false when another connection has it.
    pub(crate) async fn lock(&mut self, text: &'static str) -> Result<bool, StoreError> {
        let busy = |error: &sqlx::Error| {
            let code = error
                .as_database_error()
                .and_then(|error| error.code()?.parse::<u32>().ok());
            code.is_some_and(|code| code & 0xff == SQLITE_BUSY)
        };
        match sqlx::raw_sql(text).execute(&mut *self.any).await {
            Ok(_) => Ok(true),
            Err(error) if self.dialect == Dialect::Sqlite && busy(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads columns of a row.
pub(crate) trait Columns {
    fn integer(&self, name: &str) -> Result<i64, StoreError>;
    fn maybe_integer(&self, name: &str) -> Result<Option<i64>, StoreError>;
    fn text(&self, name: &str) -> Result<String, StoreError>;
    fn maybe_text(&self, name: &str) -> Result<Option<String>, StoreError>;
    fn bytes(&self, name: &str) -> Result<Vec<u8>, StoreError>;
}

impl Columns for AnyRow {
    fn integer(&self, name: &str) -> Result<i64, StoreError> {
        Ok(self.try_get(name)?)
    }

    fn maybe_integer(&self, name: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.try_get(name)?)
    }

    fn text(&self, name: &str) -> Result<String, StoreError> {
        Ok(self.try_get(name)?)
    }

    fn maybe_text(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.try_get(name)?)
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        Ok(self.try_get(name)?)
    }
}

/// What is stored is not what this library stores.
pub(crate) fn unreadable(what: &str, value: &str) -> StoreError {
    StoreError::internal(sqlx::Error::Decode(format!("{value:?} is no {what}").into()))
}
