//! What a session does, told from outside.

#![expect(clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod closing;
mod codecs;
mod heartbeat;
mod moving;
mod polling;
mod random_inputs;
mod story;
mod upgrade;
