//! The flags of a store, and the command for whoever runs one.

use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{Args, Subcommand};

/// Which store.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreArgs {
    /// Where accounts, rooms and messages are kept: `sqlite:PATH`, a file that the nodes of one machine share, or
    /// `postgres://USER@HOST[:PORT][,HOST…]/DATABASE`. Others can see the command line: a password comes by
    /// --store-password-file, HITHER_STORE_PASSWORD, or in the URL by HITHER_STORE
    #[arg(
        long,
        value_name = "URL",
        env = "HITHER_STORE",
        hide_env_values = true,
        default_value = "sqlite:hither.db"
    )]
    pub(crate) store: StoreText,

    /// A file with the password of the store. Unless given, the environment variable HITHER_STORE_PASSWORD is, if set
    #[arg(long, value_name = "PATH")]
    pub(crate) store_password_file: Option<PathBuf>,
}

/// What was given as the URL of a store. It may hold a password, so it is not shown, nor read by clap, which would repeat it
/// when it is wrong.
#[derive(Clone)]
pub(crate) struct StoreText(String);

impl StoreText {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StoreText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for StoreText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreText(..)")
    }
}

/// What to do with a store.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct StoreCommand {
    /// What.
    #[command(subcommand)]
    pub(crate) action: StoreAction,
}

const NOTES: &str = "\
Nodes may run meanwhile, but for import.

To restore a store of SQLite, stop all nodes, remove the file with its -wal and -shm, and put the backup in its place. To \
restore one of PostgreSQL, or to move from one kind to the other: create a new database, `hither store import FILE` into it, \
and start the nodes with its URL.

Exit codes: 0 all is well, 1 it is not, 2 a flag is wrong.

Example: hither store backup --store sqlite:/var/lib/hither/chat.db /backup/chat-monday.db";

/// What to do with a store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreAction {
    /// Look whether all is there that should be
    Check(StoreArgs),
    /// Write a backup: of SQLite a database, of PostgreSQL an export
    Backup(FileArgs),
    /// Write all that is stored as lines of JSON
    Export(FileArgs),
    /// Read an export into a new store
    Import(FileArgs),
}

impl StoreAction {
    pub(crate) fn store(&self) -> &StoreArgs {
        match self {
            Self::Check(store) => store,
            Self::Backup(args) | Self::Export(args) | Self::Import(args) => &args.store,
        }
    }
}

/// A store and a file.
#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// Which store.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The file. One that is written must not be there yet
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

impl FileArgs {
    pub(crate) fn path(&self) -> &Path {
        &self.file
    }
}
