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
use crate::http::{Acceptor, ActiveListener, Readiness};

/// What of a node takes part in its leaving.
pub(crate) struct Departure<'a> {
    pub(crate) server: &'a Server,
    pub(crate) acceptor: &'a Acceptor,
    pub(crate) readiness: &'a Readiness,
    /// The listener of the node's own address.
    pub(crate) http: ActiveListener,
    /// Listeners of addresses that other nodes share.
    pub(crate) fronts: Vec<ActiveListener>,
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
            acceptor,
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
            facts.accepted = acceptor.accepted();
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
                    acceptor.leave();
                    server.release_polls();
                    shutting.extend(fronts.take().into_iter().flatten().map(ActiveListener::stop));
                }
                Step::HandOff(deadline) => {
                    under_way.push(server.hand_off(deadline).map(|()| Fact::HandedOff).boxed());
                }
                Step::CloseListeners => {
                    shutting.extend(http.take().map(ActiveListener::stop));
                    let shut = join_all(shutting.drain(..).map(|listener| listener.stopped()));
                    under_way.push(shut.map(|_| Fact::ListenersClosed).boxed());
                }
                Step::EndConnections(deadline) => {
                    let sockets = server.move_sockets(Leave { deadline, spread });
                    under_way.push(sockets.map(|()| Fact::SocketsClosed).boxed());
                    under_way.push(acceptor.end().map(|()| Fact::ConnectionsEnded).boxed());
                }
                Step::Stop => break,
            }
        }
        if !facts.connections_ended {
            info!(
                connections = acceptor.connections(),
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
