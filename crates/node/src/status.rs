//! `hither status`: how a cluster is, as any of its nodes tells.

mod table;

use std::process::ExitCode;

use axum::http::{Method, StatusCode};
use serde::Deserialize;
use tokio::runtime;

use self::table::table;
use crate::{
    ask::{Answer, AskError, ask},
    cli::{NodeUrl, StatusCommand},
};

/// Asks a node how its cluster is and prints that; tells the exit code: 0 when the node answered, 1 when it did not.
pub fn show_status(command: &StatusCommand) -> ExitCode {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let told = runtime
        .map_err(StatusError::System)
        .and_then(|runtime| runtime.block_on(tell(command)));
    match told {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why a cluster's status is not known.
#[derive(Debug, thiserror::Error)]
enum StatusError {
    #[error("cannot ask: {0}")]
    System(std::io::Error),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{node} is not a node of Hither: its /status/cluster is {status}")]
    NotANode { node: NodeUrl, status: StatusCode },
    #[error("{node} says what this version does not understand: {source}")]
    Strange {
        node: NodeUrl,
        source: serde_json::Error,
    },
}

async fn tell(StatusCommand { node, json }: &StatusCommand) -> Result<String, StatusError> {
    let node = node.clone();
    let Answer { status, text } = ask(&node, Method::GET, "/status/cluster", None).await?;
    if status != StatusCode::OK {
        return Err(StatusError::NotANode { node, status });
    }
    match serde_json::from_str(&text) {
        Ok(_) if *json => Ok(text + "\n"),
        Ok(status) => Ok(table(&status)),
        Err(source) => Err(StatusError::Strange { node, source }),
    }
}

/// What a node answered.
#[derive(Debug, Deserialize)]
struct ClusterStatus {
    node: String,
    members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
struct Member {
    name: String,
    phase: String,
    http: String,
    shards: u64,
    /// None if it was silent.
    sessions: Option<Counts>,
}

#[derive(Debug, Deserialize)]
struct Counts {
    owned: u64,
    attached: u64,
    moving: u64,
    moved_in: u64,
    moved_out: u64,
    revived: u64,
    recovered: u64,
}
