//! Asking who is at a link port, to learn what keeps a node from being a member.

use std::{io, net::SocketAddr};

use tokio::{net::TcpStream, time::timeout};

use super::hello::{Greeter, HELLO_TIMEOUT, HelloError};
use crate::{member::NodeId, secret::Secrets, version::WireVersions};

/// Asks who is at a link port.
#[derive(Clone)]
pub(crate) struct Inquirer(Greeter);

/// Nobody says who is there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// There is no connection.
    #[error("it cannot be reached over TCP: {0}")]
    Unreachable(io::Error),
    /// A node is there whose build does not understand this one.
    #[error(
        "its wire versions are {theirs}, and those of this node {ours} (oldest-newest:broadcast): run builds of which each \
         speaks what the other broadcasts"
    )]
    VersionMismatch {
        ours: WireVersions,
        theirs: WireVersions,
    },
    /// Whoever is there does not say so.
    #[error("{0}")]
    Greeting(String),
}

impl Inquirer {
    /// Asks in the name of `me`.
    pub(crate) fn new(me: NodeId, secrets: Secrets) -> Self {
        Self(Greeter {
            me,
            secrets,
            versions: WireVersions::this_build(),
        })
    }

    /// Whether that is who asks.
    pub(crate) fn is(&self, node: &NodeId) -> bool {
        self.0.me == *node
    }

    /// Who is there.
    pub(crate) async fn ask(&self, address: SocketAddr) -> Result<NodeId, NoAnswer> {
        let connecting = timeout(HELLO_TIMEOUT, TcpStream::connect(address));
        let connected = connecting.await.unwrap_or_else(|elapsed| Err(elapsed.into()));
        let mut stream = connected.map_err(NoAnswer::Unreachable)?;
        match timeout(HELLO_TIMEOUT, self.0.ask_who(&mut stream)).await {
            Ok(told) => told.map_err(|error| match error {
                HelloError::VersionMismatch { ours, theirs } => NoAnswer::VersionMismatch { ours, theirs },
                error => NoAnswer::Greeting(error.to_string()),
            }),
            Err(_) => Err(NoAnswer::Greeting(
                "it accepts connections over TCP, and does not answer as a node does".to_owned(),
            )),
        }
    }
}
