//! What the packets of Socket.IO are on the wire, and what a connection does, told from outside.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may panic as tests do"
)]

mod arguments;
mod attachments;
mod codecs;
mod connecting;
mod leaving;
mod malformed;
mod moving;
mod random_inputs;
mod story;
mod talking;
mod untaken;
mod wire;
