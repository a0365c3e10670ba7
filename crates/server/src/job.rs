//! A call of the application, from when it becomes due until it has ended.

use std::any::Any;

use hither_engineio::Message;
use hither_socketio::{AckId, Args, ConnectError, DisconnectReason, Event, Json, NamespaceName, SocketId};
use serde::{Deserialize, Serialize};

use crate::{
    namespace::AnyData,
    sessions::Surrendered,
    socket::{AckError, Effects},
};

/// A call of the application that is due. Jobs of one session run one after the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    Connect {
        namespace: NamespaceName,
        auth: Option<Json>,
    },
    Event {
        socket: SocketId,
        event: Event,
        ack: Option<AckId>,
        /// Tells this event from all others of the cluster; so what it causes can be told, too.
        cause: u64,
    },
    Acked {
        socket: SocketId,
        context: Json,
        answer: Result<Args, AckError>,
    },
    Disconnect {
        socket: SocketId,
        reason: DisconnectReason,
    },
    Recovered {
        socket: SocketId,
        disconnected: bool,
    },
    Relocated {
        socket: SocketId,
    },
    /// The application says something to itself.
    Told {
        socket: SocketId,
        event: Event,
    },
    EngineMessage(Message),
}

/// What a job costs apart from its bytes.
const JOB_OVERHEAD: usize = 128;

impl Job {
    /// Memory held, in bytes, nearly.
    pub(crate) fn cost(&self) -> usize {
        let args =
            |args: &Args| args.json().len() + args.attachments().iter().map(bytes::Bytes::len).sum::<usize>();
        JOB_OVERHEAD
            + match self {
                Self::Connect { auth, .. } => auth.as_ref().map_or(0, |auth| auth.as_str().len()),
                Self::Event { event, .. } | Self::Told { event, .. } => {
                    event.name.as_str().len() + args(&event.args)
                }
                Self::Acked { context, answer, .. } => {
                    context.as_str().len() + answer.as_ref().map_or(0, args)
                }
                Self::Disconnect { .. } | Self::Recovered { .. } | Self::Relocated { .. } => 0,
                Self::EngineMessage(message) => message.len(),
            }
    }

    /// The socket that it is for, if it is for one that exists already.
    pub(crate) fn socket(&self) -> Option<&SocketId> {
        match self {
            Self::Event { socket, .. }
            | Self::Acked { socket, .. }
            | Self::Disconnect { socket, .. }
            | Self::Recovered { socket, .. }
            | Self::Told { socket, .. }
            | Self::Relocated { socket } => Some(socket),
            Self::Connect { .. } | Self::EngineMessage(_) => None,
        }
    }

    /// What the log calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Event { .. } => "event",
            Self::Acked { .. } => "acked",
            Self::Disconnect { .. } => "disconnect",
            Self::Recovered { .. } => "recovered",
            Self::Relocated { .. } => "relocated",
            Self::Told { .. } => "told",
            Self::EngineMessage(_) => "message",
        }
    }
}

/// How a call of the application ended.
pub(crate) struct Outcome {
    /// What the handler asked for and was not flushed.
    pub(crate) effects: Effects,
    /// The socket's data, given back.
    pub(crate) data: Option<AnyData>,
    pub(crate) verdict: Verdict,
}

/// What became of a call.
pub(crate) enum Verdict {
    Done,
    /// The client wanted its former socket, which cannot be had: it gets another.
    NotRecovered,
    /// The application does not want the client in the namespace.
    Refused(ConnectError),
    /// The handler panicked, and said this.
    Panicked(String),
    /// The client wanted its former socket, and here it is.
    Recovered(Box<Surrendered>),
}

impl Verdict {
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "no message".to_owned()))
    }
}
