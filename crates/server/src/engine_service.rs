//! Plain Engine.IO, for those who want sessions without Socket.IO on top.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use hither_engineio::Message;

use crate::{
    job::{Outcome, Verdict},
    namespace::Call,
    socket::{Effect, Effects, EmitError},
};

/// A service that speaks plain Engine.IO.
pub trait EngineService: Send + Sync + 'static {
    /// The client sent a message. Messages of one session are handled one at a time, in order.
    fn message(&self, socket: &mut EngineSocket, message: Message) -> impl Future<Output = ()> + Send;
}

/// A session of plain Engine.IO, lent to a handler. What is asked of it takes effect when the handler ends.
pub struct EngineSocket {
    effects: Effects,
}

impl EngineSocket {
    /// Sends a message to the client.
    ///
    /// # Errors
    /// When the handler has asked for more than a client may have waiting.
    pub fn send(&mut self, message: Message) -> Result<(), EmitError> {
        let bytes = message.len();
        self.effects.add(Effect::EngineMessage(message), bytes)
    }

    /// Closes the session.
    pub fn close(&mut self) {
        self.effects.list.push(Effect::Disconnect { close: true });
    }
}

/// A service whose type is its own affair.
pub(crate) trait AnyEngineService: Send + Sync {
    fn call(self: Arc<Self>, message: Message, effects: Effects) -> Call;
}

pub(crate) struct EngineAdapter<S>(pub(crate) S);

impl<S: EngineService> AnyEngineService for EngineAdapter<S> {
    fn call(self: Arc<Self>, message: Message, effects: Effects) -> Call {
        Box::pin(async move {
            let mut socket = EngineSocket { effects };
            let result = AssertUnwindSafe(self.0.message(&mut socket, message))
                .catch_unwind()
                .await;
            let verdict = match result {
                Ok(()) => Verdict::Done,
                Err(panic) => Verdict::panicked(&*panic),
            };
            Outcome {
                effects: socket.effects,
                data: None,
                verdict,
            }
        })
    }
}
