//! Outputs that wait for the shell.

use std::collections::VecDeque;

use super::output::{DisconnectReason, Output};
use crate::encode::Encoded;
use crate::ids::SocketId;
use crate::namespace::NamespaceName;

/// A queue that needs no memory of its own as long as an input leads to one output, as nearly all do, and gives back what
/// a burst took: there is one for each client, and most clients are idle.
///
/// Its bound is the shell's drain after each input, which leads to a few outputs for each namespace at most, or to as many
/// as were emitted early.
#[derive(Clone, Debug, Default)]
pub(super) struct OutputQueue {
    first: Option<Output>,
    /// Empty if there is no first.
    rest: VecDeque<Output>,
}

impl OutputQueue {
    pub(super) fn push(&mut self, output: Output) {
        match self.first {
            None => self.first = Some(output),
            Some(_) => self.rest.push_back(output),
        }
    }

    /// The server disconnects a socket: the client is told, and so is the application.
    pub(super) fn push_dismissal(&mut self, namespace: NamespaceName, socket: SocketId) {
        self.push(Output::Send(Encoded::disconnect(&namespace)));
        self.push(Output::Disconnected {
            namespace,
            socket,
            reason: DisconnectReason::Server,
        });
    }

    /// The client has left: the application is told.
    pub(super) fn push_departure(&mut self, namespace: NamespaceName, socket: SocketId) {
        self.push(Output::Disconnected {
            namespace,
            socket,
            reason: DisconnectReason::Client,
        });
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        let first = self.first.take();
        self.first = self.rest.pop_front();
        if self.first.is_none() {
            self.rest = VecDeque::new();
        }
        first
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}
