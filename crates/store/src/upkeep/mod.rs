//! What whoever runs the store does with it: check, back up, export, import. It takes its time, on connections of its own.

mod check;
mod export;
mod import;
mod tables;

use std::path::PathBuf;

pub use check::Report;

use crate::{
    db::pools::Maintenance,
    error::{OpenError, StoreError},
    store::Store,
};

/// Why upkeep has failed.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The store has failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file has failed.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// What is to be imported cannot be read.
    #[error("line {line}: {problem}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// What is to be imported is of another schema.
    #[error("this is an export of schema {found}, and the store has {known}")]
    Schema {
        /// That of the export.
        found: i64,
        /// That of the store.
        known: i64,
    },
    /// An import needs a new store.
    #[error("there is something in the store already: import into a new one")]
    NotEmpty,
}

/// What a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backup {
    /// A database of SQLite: put it in the place of the store's file while no node runs.
    Sqlite,
    /// An export, to be imported into a new store.
    Export,
}

impl Store {
    async fn maintenance(&self) -> Result<Maintenance, StoreError> {
        self.pools().maintenance().await
    }
}
