//! Sockets on replicated shards: what a session records, as a state machine without IO, clock or tasks.
//!
//! # Who owns what
//! A **socket** is one client's place in one namespace. It lives in the shard of its id for all its life, whatever
//! connection the client has and wherever that lands: a client that returns is bound to it again, and nothing moves from
//! one session to another. Its [`SocketState`] is replicated with the shard: data, memberships, acks that are awaited,
//! and what it has said that is not known to have arrived.
//! An **endpoint** is the end of one connection of a client, at the node where it landed (the ingress). It dies with that
//! connection. It keeps each frame of the client until that is handled, and knows how far the client was told.
//! The **holder** of the shard runs handlers, one at a time for each socket, and has all that need not survive it.
//!
//! # How what happened survives
//! Each handler ends in a *step*: the frame it handled, what it changed, what it says to its client, what it sends to
//! others. A step that changes something is one record; one that does not (an echo, or publications alone) is none. What a
//! step says leaves when its record is committed and its publications are confirmed, in the order of the steps, and in
//! one [`Batch`](ToEndpoint::Batch) with "handled through frame f". So an endpoint has for each frame either both or none.
//!
//! **A record takes along all steps before it that are not done**: those of which the endpoint has not confirmed the
//! batch, or whose publications are not confirmed. So a replica is always the whole past up to some step. Without this, an echo
//! before a change would count as handled at the next holder, and its answer would never come.
//!
//! Events of a socket to its own client have numbers ([`OutputNumber`]); these are recorded. Answers have none: they go by
//! the number of their frame, for an answer need not be recorded, and a number that only the endpoint knows would be given
//! again by the next holder. Which frames were handled without a record is the endpoint's word, when it attaches itself.
//!
//! What is sent to others has the identity of the frame that caused it, so that a frame that is handled again sends
//! the same; what a recorded step sends is in the record, and leaves once that is committed. Calls without a frame are
//! always recorded, and have a count of their own.
//!
//! What is sent to several topics is published to one after the other, each copy when it is known where the one before stands,
//! and names where all before it stand. It leaves the outbox alone: what comes behind it waits until its last copy is confirmed.
//! So a socket tells it through the first topic that it was in there, whatever copy arrives, and whoever repeats the frame
//! publishes the same copies.
//!
//! There is no queue of calls to replicate: frames wait at the endpoint, and all other calls follow from the state (an ack
//! that is awaited from a former connection, a return that the handler was not told of, a socket that nobody is attached to).
//!
//! # Who may die when
//! | step | client's connection or endpoint | holder | standby |
//! |---|---|---|---|
//! | frame sent, not handled | it may be lost: its client was told nothing | the endpoint sends it to the next holder | no effect |
//! | handler runs | its step counts, its answer has no reader | it runs again at the next holder; its first run left nothing but publications, which have the same identity | no effect |
//! | step recorded, not committed | as above | if the next holder has the record, it sends the answer; else the frame is handled again | the step waits for the next standby |
//! | batch sent, not confirmed | direct events are kept for the client's return | the next holder sends what it has behind what the endpoint has; what it lacks is handled again | no effect |
//! | event that awaits an ack sent | its handler is told that the ack is lost, once the client returns | the event is in the record, sent again behind what the endpoint has | no effect |
//! | ack of the client on its way | as a frame | as a frame; the ack is awaited until the record of its handler | as a frame |
//! | join recorded | the membership is there at the return | memberships go on from what the endpoint or the client has heard | the join waits |
//! | publication on its way | it is the handler's node that publishes it | the next holder publishes what its records have, or handles the frame again | no effect |
//! | direct event to another socket | the sender's holder keeps it until it is confirmed | the sender's next holder sends it again; the receiver knows its identity | the confirmation waits |
//! | nodes split, and the client's side ends | it begins anew if it was told anything there; else it goes on | as a death | no effect |
//! | client returns | two endpoints claim the socket: each claim is one record, a generation, and the latest counts | a claim that is not committed was not answered: the endpoint repeats it | the claim waits |
//!
//! # What is not here yet
//! Polling (its transport end is an endpoint that is replicated itself), and a shell. Who leaves a room hears no more of it than it was told by then. On a client's return, direct events have their order and each room has its own; between them there is none.

mod endpoint;
mod fifo;
mod ids;
mod kept;
mod message;
mod node;
mod outbox;
mod record;
mod serving;
#[cfg(test)]
mod simulation;
mod state;

pub use self::{
    endpoint::Endpoint,
    ids::{
        AttachmentNumber, EndpointId, FrameNumber, Generation, OutputNumber, Producer, RunId, Sequence,
        SocketId, Source, Topic,
    },
    message::{
        AckLost, Asks, ClientOffset, ClientPacket, ClosedBecause, Destination, Effects, Emit, How, Intent,
        Job, Message, Progress, Published, ServerPacket, ToEndpoint, ToSocket,
    },
    node::{Input, Node, Output, Settings},
    record::{Change, Delta, Record, Replicated, Step},
    state::{Awaited, Own, SocketState, State},
};
