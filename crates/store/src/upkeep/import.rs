//! An export, into a new store of either kind.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    db::{
        conn::{Columns, Conn, Dialect, Statement},
        group, migrate,
    },
    error::StoreError,
    store::Store,
    upkeep::{
        UpkeepError,
        tables::{Kind, TABLES, Table},
    },
};

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "hither store")]
    schema: i64,
}

#[derive(Deserialize)]
struct Line {
    table: String,
    row: Map<String, Value>,
}

impl Store {
    /// Reads an export into this store, which must be new, all of it or nothing. Returns how many rows that were.
    ///
    /// # Errors
    /// When the store is not empty, the export is of another schema or cannot be read, and what can befall store and file.
    pub async fn import(&self, path: &Path) -> Result<u64, UpkeepError> {
        let failed = |source| UpkeepError::File {
            path: path.to_owned(),
            source,
        };
        let mut lines = (1_u64..).zip(BufReader::new(File::open(path).map_err(failed)?).lines());
        let mut connection = self.maintenance().await?;
        let mut conn = connection.conn();
        group::begin(&mut conn).await?;
        let known = migrate::version(&mut conn).await?;
        let (_, head) = lines.next().ok_or_else(|| wrong(1, "the file is empty"))?;
        let head: Head = serde_json::from_str(&head.map_err(failed)?)
            .map_err(|error| wrong(1, format!("this is no export of a store: {error}")))?;
        if head.schema != known {
            return Err(UpkeepError::Schema {
                found: head.schema,
                known,
            });
        }
        require_empty(&mut conn).await?;
        let mut rows = 0;
        for (number, line) in lines {
            let line: Line =
                serde_json::from_str(&line.map_err(failed)?).map_err(|error| wrong(number, error))?;
            let table = TABLES.iter().find(|table| table.name == line.table);
            let table = table.ok_or_else(|| wrong(number, format!("there is no table {:?}", line.table)))?;
            let statement = insert(&conn, table, line.row).map_err(|problem| wrong(number, problem))?;
            match conn.execute(statement).await {
                Ok(_) => rows += 1,
                Err(StoreError::Internal(error)) => return Err(wrong(number, error)),
                Err(error) => return Err(error.into()),
            }
        }
        conn.command("COMMIT").await?;
        if conn.dialect == Dialect::Postgres {
            // By itself it does so a minute later, and until then guesses how to find things.
            conn.command("VACUUM (ANALYZE)").await?;
        }
        connection.close().await?;
        Ok(rows)
    }
}

fn wrong(line: u64, problem: impl ToString) -> UpkeepError {
    UpkeepError::Line {
        line,
        problem: problem.to_string(),
    }
}

async fn require_empty(conn: &mut Conn<'_>) -> Result<(), UpkeepError> {
    for table in TABLES {
        let statement = conn.statement(&format!("SELECT COUNT(*) AS count FROM {}", table.name));
        if conn.one(statement).await?.integer("count")? > 0 {
            return Err(UpkeepError::NotEmpty);
        }
    }
    Ok(())
}

fn insert(conn: &Conn<'_>, table: &Table, mut row: Map<String, Value>) -> Result<Statement, String> {
    let places: Vec<_> = (1..=table.columns.len())
        .map(|place| format!("${place}"))
        .collect();
    let mut statement = conn.statement(&format!(
        "INSERT INTO {} ({}) VALUES ({})",
        table.name,
        table.column_list(),
        places.join(", ")
    ));
    for (name, kind) in table.columns {
        let value = row.remove(*name).unwrap_or(Value::Null);
        let unfit = || format!("{name} is {value}");
        statement = match (kind, &value) {
            (Kind::Integer, Value::Null) => statement.bind(None::<i64>),
            (Kind::Integer, Value::Number(number)) => statement.bind(number.as_i64().ok_or_else(unfit)?),
            (Kind::Text, Value::Null) => statement.bind(None::<String>),
            (Kind::Text, Value::String(text)) => statement.bind(text.clone()),
            (Kind::Bytes, Value::Null) => statement.bind(None::<Vec<u8>>),
            (Kind::Bytes, Value::String(text)) => statement.bind(STANDARD.decode(text).map_err(|_| unfit())?),
            _ => return Err(unfit()),
        };
    }
    match row.keys().next() {
        Some(unknown) => Err(format!("{} has no column {unknown:?}", table.name)),
        None => Ok(statement),
    }
}
