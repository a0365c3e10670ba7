//! Socket.IO v5: packets and the connect, event and ack state machine, without IO, clock or actors.
