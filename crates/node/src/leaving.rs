//! How a node leaves so that nobody notices but those whose WebSockets it holds.

mod order;

use std::time::Duration;

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all},
    stream::FuturesUnordered,
};
use hither::{Leave, Server};
use tokio::time::{Instant, sleep_until};
use tracing::info;

pub(crate) use self::order::Limits;
use self::order::{Facts, Leaving, Step};
use crate::http::{OpenDoor, Readiness, Reception};

/// What of a node takes part in its leaving.
pub(crate) struct Departure<'a> {
    pub(crate) server: &'a Server,
    pub(crate) reception: &'a Reception,
    pub(crate) readiness: &'a Readiness,
    /// The node's own door.
    pub(crate) http: OpenDoor,
    /// Doors at which others listen, too.
    pub(crate) fronts: Vec<OpenDoor>,
}

/// What has come true.
enum Fact {
    HandedOff,
    ListenersClosed,
    SocketsClosed,
    ConnectionsEnded,
}

impl Departure<'_> {
    /// Takes every step of leaving but the last, which is to stop the server. WebSockets are closed over the time of
    /// `spread`.
    pub(crate) async fn run(self, limits: Limits, spread: Duration) {
        let Self {
            server,
            reception,
            readiness,
            http,
            fronts,
        } = self;
        let mut leaving = Leaving::new(limits, Instant::now());
        let mut facts = Facts::default();
        let (mut fronts, mut http) = (Some(fronts), Some(http));
        let mut shutting = Vec::new();
        let mut under_way: FuturesUnordered<BoxFuture<'_, Fact>> = FuturesUnordered::new();
        loop {
            facts.accepted = reception.accepted();
            let Some(step) = leaving.step(Instant::now(), facts) else {
                tokio::select! {
                    Some(fact) = under_way.next() => note(&mut facts, &fact),
                    () = sleep_until_some(leaving.wake_at()) => {}
                }
                continue;
            };
            info!(?step, "leaving");
            match step {
                Step::Announce => {
                    readiness.withdraw();
                    reception.leave();
                    server.release_polls();
                    shutting.extend(fronts.take().into_iter().flatten().map(OpenDoor::shut));
                }
                Step::HandOff(deadline) => {
                    under_way.push(server.hand_off(deadline).map(|()| Fact::HandedOff).boxed());
                }
                Step::CloseListeners => {
                    shutting.extend(http.take().map(OpenDoor::shut));
                    let shut = join_all(shutting.drain(..).map(|door| door.shut()));
                    under_way.push(shut.map(|_| Fact::ListenersClosed).boxed());
                }
                Step::EndConnections(deadline) => {
                    let sockets = server.move_sockets(Leave { deadline, spread });
                    under_way.push(sockets.map(|()| Fact::SocketsClosed).boxed());
                    under_way.push(reception.end().map(|()| Fact::ConnectionsEnded).boxed());
                }
                Step::Stop => break,
            }
        }
        if !facts.connections_ended {
            info!(
                connections = reception.connections(),
                "some connections did not end in time; they end with the node"
            );
        }
    }
}

fn note(facts: &mut Facts, fact: &Fact) {
    match fact {
        Fact::HandedOff => facts.handed_off = true,
        Fact::ListenersClosed => facts.listeners_closed = true,
        Fact::SocketsClosed => facts.sockets_closed = true,
        Fact::ConnectionsEnded => facts.connections_ended = true,
    }
}

async fn sleep_until_some(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
