//! Topics on the replicated core: the shell that runs [`hither_replication`] on a real node.
//!
//! The core is a machine without clock, tasks or sockets. Here is what surrounds it: the [`Driver`](driver), a task that gives
//! it views, messages and time and does what it puts out; the [`Table`](table), which knows who on this node hears what; and
//! [`Topics`], the port to both.
//!
//! # Who owns what
//! The driver owns the core and the table, and nobody else touches them: no lock is held while they work. A node has *one*
//! core. To order a publication costs it a few microseconds, so that one thread orders more than a node's lanes can deliver;
//! and leases and returns, which are between two nodes, need no part of a node in their name. When sessions are on the core
//! too, their handlers and the core must take turns in one lane. Then there are as many cores as groups of shards, the same
//! number on all nodes, and what is said about leases and returns names the group.
//!
//! # Members
//! A view of membership is a view of the core: a member is a name and an incarnation in both, and the targets are what
//! [`Placement`](crate::Placement) says. Who leaves the view is dead to the core, and whoever comes back in the same incarnation has returned. The core
//! does not rely on views that come in some order with messages: a node may be heard before it is a member.
//!
//! # Links
//! What the core says goes by a [channel](crate::Channel::Replication) of its own in the link between two nodes. It has a queue
//! and a window of its own: whoever holds credit for what entities say holds up no acknowledgement. The driver gives credit
//! back when it has handled a message, and it waits for nothing while it does; so credit waits only for nodes that do not run.
//! All that one turn has said to a peer is put into the link at once.
//!
//! A link is reset when it comes up. The driver tells the core so before anything that comes by it, and from then on sends by
//! that life of the link alone: what the core had said before is dropped, and never appears behind the reset. While a link is down
//! nothing is kept for it. Relays and re-dialling are the links' own matter; membership hears of links that go down.
//!
//! # Time
//! The core is told the time since the driver began, by the monotonic clock, and is woken at its deadline. A node that was
//! stopped finds its leases over, as it must. No deadline decides what is committed.
//!
//! # Bounds
//! | what | bound | when it is reached |
//! |---|---|---|
//! | requests of this node, and publications that are not confirmed | [`publishing`](TopicSettings::publishing) bytes | [`Refused::Full`]; [`Topics::room`] says when to try again |
//! | what a listener was told and has not handled | [`listening`](TopicSettings::listening) bytes | [`Told::Lagged`]: it is told no more of that topic, and may subscribe again from where it has come |
//! | messages that have come and are not handled | the window of each link | the peer's queue grows |
//! | messages to a peer | the queue of its link | the link is cut; what was lost is asked for again from the log |
//! | entries under way to a follower or a holder | `window_bytes` of the core's settings | they wait in the log, or with the publisher |
//! | the log of a shard | `kept_bytes` of the core's settings | who has heard less is told [`Told::Gap`] |
//! | largest payload | half of a link's largest message | [`Refused::TooLarge`] |
//!
//! # Who may die when
//! - *The publisher's node*, before the holder has the publication: it never was. After: it is for all. Whoever publishes it again
//!   elsewhere under the same producer and sequence publishes it once.
//! - *The holder*, before its standby has the entry: the publisher's node sends it again to the next holder. After: it is in that
//!   one's log, and all are told. Whoever was told of it was told what the standby has.
//! - *The standby*: the holder waits until membership says so, and goes on alone until another is in step.
//! - *A listener's node*: its listeners begin elsewhere, from the position up to which each has heard.
//! - *A link*: both ends say anew what they want from where, and what is not confirmed.
//! - *Nobody, but a node does not run for a while*: the others may take it for dead. When it runs again its first append is refused,
//!   and it subscribes again from where it had come.
//!
//! # How rooms will move here
//! Each step lands by itself.
//! 1. The topics of one namespace without recovery: a lane is a [`Listen`], `Lane::subscribe` and `Lane::publish` of such a topic go to
//!    [`Topics`]; the producer is the session's key and the sequence the number of what caused the publication, or for what
//!    sessions do not cause the node's life and a counter.
//! 2. Recovery: the offset of an event is the position of its room; who returns subscribes from it. Marks, histories and the
//!    lanes' logs have no user then: `log`, `lane/histories`, `router/histories` and `trace` go.
//! 3. All namespaces. The first core's own distribution goes: `router/topics`, `mourning`, `legacies`, `pause`,
//!    `introductions` but for the members in them, `backlog`, `lane/arrivals`, `lane/barriers`, `lane/doubt` and the interest in
//!    `topic`. A session that moves takes along its unconfirmed publications and the position of each room.
//! 4. Sessions: `crates/sessions` in place of `Core`, in a lane; then `handoff`, `settlement`, `lane/replicas`, `lane/departures`
//!    and `router/moves` go.

mod application;
mod driver;
mod figures;
mod links;
mod port;
mod table;

pub use self::{
    application::{Producer, TopicPosition},
    figures::TopicFigures,
    port::{Hold, Listen, Listener, Refused, Told, TopicSettings, Topics},
};
pub(crate) use self::{
    driver::{Driver, DriverConfig},
    links::{TopicLinks, Unexpected},
};
