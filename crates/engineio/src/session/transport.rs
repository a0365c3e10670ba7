//! The transport of a session, and how it changes (specification: *Upgrade*).

use serde::{Deserialize, Serialize};

use crate::TransportName;

/// `Time` is an `Instant` in a live session and what is left of it in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Transport<Time> {
    Polling(#[serde(skip)] Poll),
    /// Still polling, while a WebSocket is tried.
    Probing {
        #[serde(skip)]
        poll: Poll,
        probe: Probe<Time>,
    },
    WebSocket,
}

/// The one GET that may wait for packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Poll {
    #[default]
    Idle,
    Hanging,
    /// The shell was told to answer it and has not said yet that it did.
    Released,
}

impl Poll {
    /// Whether the shell is to be told to answer it.
    pub(super) fn release(&mut self) -> bool {
        let hangs = *self == Poll::Hanging;
        if hangs {
            *self = Poll::Released;
        }
        hangs
    }
}

/// A WebSocket on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Probe<Time> {
    pub(super) stage: ProbeStage,
    pub(super) gives_up_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ProbeStage {
    /// Nothing was heard on the socket. Polls hang as ever: a socket that stays silent must not make the
    /// client poll in circles.
    Silent,
    /// The client's ping was answered. It is about to pause polling and waits for its last poll: polls are
    /// answered at once.
    Answered,
}

impl<Time> Transport<Time> {
    pub(super) fn open(name: TransportName) -> Self {
        match name {
            TransportName::Polling => Transport::Polling(Poll::Idle),
            TransportName::WebSocket => Transport::WebSocket,
        }
    }

    pub(super) fn name(&self) -> TransportName {
        match self {
            Transport::Polling(_) | Transport::Probing { .. } => TransportName::Polling,
            Transport::WebSocket => TransportName::WebSocket,
        }
    }

    pub(super) fn poll(&self) -> Option<Poll> {
        match *self {
            Transport::Polling(poll) | Transport::Probing { poll, .. } => Some(poll),
            Transport::WebSocket => None,
        }
    }

    pub(super) fn poll_mut(&mut self) -> Option<&mut Poll> {
        match self {
            Transport::Polling(poll) | Transport::Probing { poll, .. } => Some(poll),
            Transport::WebSocket => None,
        }
    }

    pub(super) fn probe(&self) -> Option<&Probe<Time>> {
        match self {
            Transport::Probing { probe, .. } => Some(probe),
            Transport::Polling(_) | Transport::WebSocket => None,
        }
    }

    /// Back to polling, if a WebSocket was tried; tells whether one was.
    pub(super) fn give_up_probe(&mut self) -> bool {
        let Transport::Probing { poll, .. } = *self else {
            return false;
        };
        *self = Transport::Polling(poll);
        true
    }

    /// A poll hangs at some node and stays there: it is no part of what moves.
    pub(super) fn map<Other>(self, time: impl FnOnce(Time) -> Other) -> Transport<Other> {
        match self {
            Transport::Polling(_) => Transport::Polling(Poll::Idle),
            Transport::Probing { probe, .. } => Transport::Probing {
                poll: Poll::Idle,
                probe: Probe {
                    stage: probe.stage,
                    gives_up_at: time(probe.gives_up_at),
                },
            },
            Transport::WebSocket => Transport::WebSocket,
        }
    }
}
