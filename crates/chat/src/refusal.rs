//! Why a client's request was not done, in words for the person who made it.

use std::sync::Arc;

use hither::{EmitError, QueryError};

use crate::{message::MessageError, room_name::RoomNameError};

/// Why a request was not done. Nothing of it was.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("There is no request {0:?} here.")]
    UnknownEvent(String),
    #[error("{event:?} goes with {expected}.")]
    Malformed {
        event: &'static str,
        expected: &'static str,
    },
    #[error(transparent)]
    RoomName(#[from] RoomNameError),
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("You are in this room already.")]
    AlreadyJoined,
    #[error("You are not in this room; join it first.")]
    NotJoined,
    #[error("You are in {0} rooms, and more are not possible; leave one first.")]
    TooManyRooms(usize),
    #[error("The rooms could not be counted: {0}.")]
    Uncounted(#[from] Arc<QueryError>),
}

/// Why a handler stopped before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The client asked for what cannot be.
    #[error(transparent)]
    Refused(Refusal),
    /// What was to be sent cannot be.
    #[error(transparent)]
    Unsent(#[from] EmitError),
}

impl<R: Into<Refusal>> From<R> for Failure {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}
