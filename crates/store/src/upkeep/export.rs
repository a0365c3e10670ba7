//! All that is stored, as lines of JSON that any program can read.

use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Write},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::TryStreamExt;
use serde_json::{Map, Value, json};
use sqlx::{Row, any::AnyRow};

use crate::{
    db::{
        conn::{Conn, Dialect},
        migrate,
    },
    error::StoreError,
    store::Store,
    upkeep::{
        Backup, UpkeepError,
        tables::{Kind, TABLES, Table},
    },
};

impl Store {
    /// Writes all that is stored to a new file, as of one moment: a first line `{"hither store": SCHEMA}`, then for each row
    /// `{"table": NAME, "row": {COLUMN: VALUE}}`. Nodes may go on meanwhile. Who has the file has the hashes of passwords and
    /// all that was said: it can be read by its owner only.
    ///
    /// # Errors
    /// What can befall the store or the file, which must not be there yet.
    pub async fn export(&self, path: &Path) -> Result<(), UpkeepError> {
        let failed = |source| UpkeepError::File {
            path: path.to_owned(),
            source,
        };
        let mut out = BufWriter::new(create(path).map_err(failed)?);
        let mut connection = self.maintenance().await?;
        let mut conn = connection.conn();
        conn.begin_snapshot().await?;
        let schema = migrate::version(&mut conn).await?;
        write(&mut out, &json!({ "hither store": schema })).map_err(failed)?;
        for table in TABLES {
            let statement = conn.statement(&format!(
                "SELECT {} FROM {} ORDER BY {}",
                table.column_list(),
                table.name,
                table.order
            ));
            let mut rows = statement.fetch(&mut *conn.any);
            while let Some(row) = rows.try_next().await.map_err(StoreError::from)? {
                let line = json!({ "table": table.name, "row": fields(table, &row)? });
                write(&mut out, &line).map_err(failed)?;
            }
        }
        conn.command("COMMIT").await?;
        connection.close().await?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)
    }

    /// Writes a backup to a new file, while nodes may go on: of SQLite a database, of PostgreSQL, which has tools of its own for
    /// this, an export.
    ///
    /// # Errors
    /// What can befall the store or the file, which must not be there yet.
    pub async fn backup(&self, path: &Path) -> Result<Backup, UpkeepError> {
        match self.dialect() {
            Dialect::Postgres => self.export(path).await.map(|()| Backup::Export),
            Dialect::Sqlite => {
                // Made by us, so that nobody else can read it; SQLite writes into a file that is empty.
                let failed = |source| UpkeepError::File {
                    path: path.to_owned(),
                    source,
                };
                let file = create(path).map_err(failed)?;
                let mut connection = self.maintenance().await?;
                let mut conn = connection.conn();
                let statement = conn.statement("VACUUM INTO $1");
                let text = path
                    .to_str()
                    .ok_or_else(|| failed(std::io::ErrorKind::InvalidFilename.into()))?;
                conn.execute(statement.bind(text.to_owned())).await?;
                connection.close().await?;
                file.sync_all().map_err(failed)?;
                Ok(Backup::Sqlite)
            }
        }
    }
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn write(out: &mut impl Write, line: &Value) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn fields(table: &Table, row: &AnyRow) -> Result<Map<String, Value>, StoreError> {
    let mut fields = Map::new();
    for (name, kind) in table.columns {
        let value = match kind {
            Kind::Integer => row.try_get::<Option<i64>, _>(name)?.map(Value::from),
            Kind::Text => row.try_get::<Option<String>, _>(name)?.map(Value::from),
            Kind::Bytes => row
                .try_get::<Option<Vec<u8>>, _>(name)?
                .map(|bytes| STANDARD.encode(bytes).into()),
        };
        if let Some(value) = value {
            fields.insert((*name).to_owned(), value);
        }
    }
    Ok(fields)
}

impl Conn<'_> {
    /// Begins a transaction that reads one state of the store.
    pub(super) async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        match self.dialect {
            Dialect::Sqlite => self.command("BEGIN").await,
            Dialect::Postgres => {
                self.command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await
            }
        }
    }
}
