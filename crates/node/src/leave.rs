//! `hither leave`: asks a node that runs to leave.

use std::{process::ExitCode, time::SystemTime};

use axum::http::{Method, StatusCode};
use serde::Deserialize;
use tokio::runtime;

use crate::{
    ask::{Answer, AskError, ask},
    cli::{LeaveCommand, MISUSE, NodeUrl},
    leave_token::{self, Bearer},
    settings::Trust,
};

/// Asks a node to leave as SIGTERM does, says that it does, and tells the exit code: 0 when the node leaves, 1 when it could
/// not be asked or refused, 2 when a flag is wrong. Does not wait until the node has left.
pub fn ask_to_leave(command: &LeaveCommand) -> ExitCode {
    let trust = match Trust::configured(&command.secret_files) {
        Ok(trust) => trust,
        Err(misuse) => {
            eprintln!("error: {misuse}");
            return MISUSE.into();
        }
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime
        .map_err(LeaveError::System)
        .and_then(|runtime| runtime.block_on(send_away(&command.node, &trust)));
    match outcome {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why a node does not leave.
#[derive(Debug, thiserror::Error)]
enum LeaveError {
    #[error("cannot ask: {0}")]
    System(std::io::Error),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{node} is not a node of Hither: its /status is {status}")]
    NotANode { node: NodeUrl, status: StatusCode },
    #[error("{node} does not say who it is: {source}")]
    Nameless {
        node: NodeUrl,
        source: serde_json::Error,
    },
    #[error("{name} stays: {why}")]
    Refused { name: String, why: String },
}

/// The part of `GET /status` that says who a node is.
#[derive(Deserialize)]
struct Status {
    node: String,
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    name: String,
    incarnation: u64,
}

async fn send_away(node: &NodeUrl, trust: &Trust) -> Result<String, LeaveError> {
    let Answer { status, text } = ask(node, Method::GET, "/status", None).await?;
    if status != StatusCode::OK {
        let node = node.clone();
        return Err(LeaveError::NotANode { node, status });
    }
    let Status { node: name, members } =
        serde_json::from_str(&text).map_err(|source| LeaveError::Nameless {
            node: node.clone(),
            source,
        })?;
    let me = members.iter().find(|member| member.name == name);
    let bearer = Bearer {
        node: &name,
        incarnation: me.map_or(0, |member| member.incarnation),
    };
    let token = leave_token::make(&trust.secrets(), bearer, SystemTime::now());
    let Answer { status, text } = ask(node, Method::POST, "/leave", Some(&token)).await?;
    match status {
        StatusCode::ACCEPTED => Ok(text),
        _ => Err(LeaveError::Refused { name, why: text }),
    }
}
