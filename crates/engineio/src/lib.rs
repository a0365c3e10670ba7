//! Engine.IO v4: packets, payloads and the session state machine, without IO, clock or actors.
