//! `hither store`: looks after what the chat keeps; and how a node comes to its store.

use std::{env, io, path::PathBuf, process::ExitCode};

use hither_node::MISUSE;
use hither_store::{Backup, OpenError, Store, StoreError, StoreUrl, UpkeepError, UrlError};
use tokio::runtime;
use tracing::info;

use crate::store_args::{StoreAction, StoreArgs, StoreCommand};

/// Where the password of the store is, unless in a file.
const PASSWORD_VARIABLE: &str = "HITHER_STORE_PASSWORD";

/// Does with a store what is asked, says how it went, and tells the exit code: 0 when all is well, 1 when it is not, 2 when a
/// flag is wrong.
pub(crate) fn keep_store(StoreCommand { action }: &StoreCommand) -> ExitCode {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime
        .map_err(StoreFault::System)
        .and_then(|runtime| runtime.block_on(act(action)));
    match outcome {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(fault) => fault.tell(),
    }
}

/// Why a store is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreFault {
    #[error("cannot begin: {0}")]
    System(io::Error),
    #[error("--store: {0}")]
    Url(#[from] UrlError),
    #[error("--store-password-file {}: {source}", .path.display())]
    PasswordFile { path: PathBuf, source: io::Error },
    #[error("{PASSWORD_VARIABLE} is not UTF-8 text")]
    PasswordVariable,
    #[error("there is no store at {0}")]
    Nothing(StoreUrl),
    #[error("--store {url}: {source}")]
    Open { url: StoreUrl, source: OpenError },
    #[error(transparent)]
    Upkeep(#[from] UpkeepError),
    #[error("{0}")]
    Damaged(String),
}

impl From<StoreError> for StoreFault {
    fn from(error: StoreError) -> Self {
        Self::Upkeep(error.into())
    }
}

impl StoreFault {
    /// Says what is wrong, and gives the exit code for it.
    pub(crate) fn tell(&self) -> ExitCode {
        eprintln!("error: {self}");
        match self {
            Self::Url(_) | Self::PasswordFile { .. } | Self::PasswordVariable => MISUSE.into(),
            _ => ExitCode::FAILURE,
        }
    }
}

/// The store of a node.
pub(crate) async fn open(url: StoreUrl) -> Result<Store, StoreFault> {
    info!(store = %url, "opening the store");
    open_at(url).await
}

async fn open_at(url: StoreUrl) -> Result<Store, StoreFault> {
    match Store::open(&url).await {
        Ok(store) => Ok(store),
        Err(source) => Err(StoreFault::Open { url, source }),
    }
}

/// With its password, wherever that is.
pub(crate) fn url(args: &StoreArgs) -> Result<StoreUrl, StoreFault> {
    let url = StoreUrl::parse(args.store.as_str())?;
    let password = match &args.store_password_file {
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(source) => {
                return Err(StoreFault::PasswordFile {
                    path: path.clone(),
                    source,
                });
            }
        },
        // A file has none, and the variable may be there for others.
        None if url.is_file() => None,
        None => match env::var(PASSWORD_VARIABLE) {
            Ok(text) => Some(text),
            Err(env::VarError::NotPresent) => None,
            Err(env::VarError::NotUnicode(_)) => return Err(StoreFault::PasswordVariable),
        },
    };
    match password {
        Some(password) => Ok(url.with_password(password.trim_end_matches(['\r', '\n']))?),
        None => Ok(url),
    }
}

async fn act(action: &StoreAction) -> Result<String, StoreFault> {
    let url = url(action.store())?;
    if !matches!(action, StoreAction::Import(_)) && url.is_missing() {
        return Err(StoreFault::Nothing(url));
    }
    let store = open_at(url).await?;
    let said = match action {
        StoreAction::Check(_) => {
            let report = store.check().await?;
            if !report.problems.is_empty() {
                return Err(StoreFault::Damaged(report.to_string()));
            }
            format!("{report}; all is well")
        }
        StoreAction::Backup(args) => {
            let path = args.path().display();
            match store.backup(args.path()).await? {
                Backup::Sqlite => format!("{path} is a database of SQLite"),
                Backup::Export => format!("{path} is an export: `hither store import` reads it"),
            }
        }
        StoreAction::Export(args) => {
            store.export(args.path()).await?;
            format!(
                "{} is an export: `hither store import` reads it",
                args.path().display()
            )
        }
        StoreAction::Import(args) => format!("{} rows are imported", store.import(args.path()).await?),
    };
    store.close().await;
    Ok(said)
}
