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
//! | what a listener was told and has not handled | [`listening`](TopicSettings::listening) bytes | [`Told::Lagged`], counted and logged: it is told no more of that topic, and may subscribe again from where it has come |
//! | messages that have come and are not handled | the window of each link | the peer's queue grows |
//! | messages to a peer | the queue of its link | the link is cut; what was lost is asked for again from the log |
//! | entries under way to a follower or a holder | `window_bytes` of the core's settings | they wait in the log, or with the publisher |
//! | the log of a shard | `kept_bytes` of the core's settings | who has heard less is told [`Told::Gap`], counted and logged |
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
//!    [`Topics`]; the producer is the session's key. What that takes is below.
//! 2. Recovery: the offset of an event is the position of its room; who returns subscribes from it. Marks, histories and the
//!    lanes' logs have no user then: `log`, `lane/histories`, `router/histories` and `trace` go.
//! 3. All namespaces. The first core's own distribution goes: `router/topics`, `mourning`, `legacies`, `pause`,
//!    `introductions` but for the members in them, `backlog`, `lane/arrivals`, `lane/barriers`, `lane/doubt` and the interest in
//!    `topic`. A session that moves takes along its unconfirmed publications and the position of each room.
//! 4. Sessions: `crates/sessions` in place of `Core`, in a lane; then `handoff`, `settlement`, `lane/replicas`, `lane/departures`
//!    and `router/moves` go.
//!
//! # Step 1 in detail
//! *Seam.* The router asks a predicate over topics, which the embedder gives with [`TopicSettings`] and which is the same on all
//! nodes. Lanes and [`Cluster::publish`](crate::Cluster::publish) ask the router, so entities do not know which core serves a topic.
//! These are the topics of namespaces without recovery, which the server knows.
//!
//! *Join.* The first subscription of a lane to a topic is a [`Listener::subscribe`] from now on, and pending until
//! [`Told::Subscribed`]; later ones are in force when that is. [`Listen::told`] puts the news and its [`Hold`] into the lane's
//! mailbox, where it stands behind what the lane was told before. So a member hears all from the moment its join is answered on.
//!
//! *Publish.* The sequence is a counter in the session, which is part of its snapshot and replica. The replica has it as it was
//! before the handler that runs, as it has the data: a handler that is run again after a failover gives the same numbers, and is
//! heard once. What has no session, [`Cluster::publish`](crate::Cluster::publish), has the node's incarnation for a producer and counts for itself. On
//! [`Refused::Full`] the effect stays where it is and the session stalls, as for a congested link; [`Refused::TooLarge`] must
//! be known when the handler emits, for it is the handler's error.
//!
//! *Answers.* An answer that follows a publication waits for [`Told::Confirmed`] in place of the witness that the first core
//! looks for: a commit is done when the standby has the session and all that it published before is confirmed.
//!
//! *Move.* A session cannot be frozen while something of it is unconfirmed. Its snapshot has a position for each room.
//! On arrival each room is heard from there by a listener of its own, until that has said [`Told::Subscribed`]; meanwhile the
//! session takes nothing of that topic from the lane's listener, and afterwards nothing up to the position. Both listeners are served
//! by one driver, in the same turns, so after the turn they stand at the same position.
//!
//! *Failover.* How far a room was told to a client is known at its ingress only, which would have to report positions with
//! every order: that is step 2. Until then a socket whose owner dies ends, and its client connects anew.
//!
//! *Several rooms in one emit* have several orders: who is to be told which copy cannot be judged by who is in the rooms when
//! a copy comes. The copies name the topics and the position of the first one, and
//! [`Memberships`](hither_replication::Memberships) of each socket decide. Without that a join or leave between the copies
//! makes a hole or a double. `except` is judged by membership on delivery, as today.
//!
//! *Lag and gap.* A lane that lags subscribes again from where it has come as soon as its [`Hold`]s are dropped. On a gap the
//! sockets in the room end with a close of the transport, so that their clients connect anew.
//!
//! Volatile events, events for this node's sockets alone, `fetchSockets` and what is said to handlers are no publications, and stay.

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
