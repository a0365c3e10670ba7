//! Asking entities, wherever they live, until they have answered.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::oneshot, time::Instant};
use tracing::error;

use super::{Router, lock};
use crate::{
    ask::{Answer, Ask, AskId, LinkMessage, Refusal},
    entity::{Entities, ReplyTo},
    handoff::Outcome,
    lane::LaneMessage,
    links::SendError,
    member::NodeId,
    shard::{Key, Placement},
    wire,
};

/// Pause before a request is tried again, growing to the maximum while nothing changes.
const RETRY: std::ops::Range<Duration> = Duration::from_millis(5)..Duration::from_millis(200);

/// A request that got no reply.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No owner answered in time.
    #[error("no node answered for {key} within its deadline (last obstacle: {obstacle})")]
    TimedOut {
        /// The entity that was asked.
        key: Key,
        /// What stood in the way when time ran out.
        obstacle: &'static str,
    },
    /// The owner has too much to do.
    #[error("the owner of {0} has too many requests waiting")]
    Overloaded(Key),
    /// The entity ended, or its code panicked, while it was asked.
    #[error("the entity {0} ended while it was asked")]
    Dropped(Key),
}

/// An entity that no message between nodes can hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLarge;

/// An attempt that is worth another one.
#[derive(Clone, Copy, Debug)]
enum Obstacle {
    NoOwner,
    NotOwner,
    NoLink,
    LinkLost,
}

impl Obstacle {
    fn text(self) -> &'static str {
        match self {
            Self::NoOwner => "no member is up",
            Self::NotOwner => "the entity is moving",
            Self::NoLink => "no link to its owner",
            Self::LinkLost => "the link to its owner was lost",
        }
    }
}

enum Failure {
    Again(Obstacle),
    Final(Refusal),
}

pub(super) struct PendingAsk<E: Entities> {
    pub(super) peer: NodeId,
    answer: oneshot::Sender<Result<Answer<E>, Failure>>,
}

/// Removes a question whose asker stopped waiting.
struct AskGuard<'a, E: Entities> {
    router: &'a Router<E>,
    id: AskId,
}

impl<E: Entities> Drop for AskGuard<'_, E> {
    fn drop(&mut self) {
        lock(&self.router.asks).remove(&self.id);
    }
}

impl<E: Entities> Router<E> {
    /// Asks an entity, wherever it lives, until it has answered or `timeout` is over.
    ///
    /// A request that met a former owner or a lost link is sent again: entities must recognise a repetition.
    pub(crate) async fn request(
        self: &Arc<Self>,
        key: &Key,
        request: E::Request,
        timeout: Duration,
    ) -> Result<E::Reply, RequestError> {
        let deadline = Instant::now() + timeout;
        let mut placements = self.placements();
        let mut pause = RETRY.start;
        loop {
            let owner = placements.borrow_and_update().owner_of(key).cloned();
            let attempt = async {
                match owner {
                    Some(owner) => self.ask(&owner, key, Ask::Entity(request.clone())).await,
                    None => Err(Failure::Again(Obstacle::NoOwner)),
                }
            };
            let obstacle = match tokio::time::timeout_at(deadline, attempt).await {
                Ok(Ok(Answer::Entity(reply))) => return Ok(reply),
                Ok(Ok(Answer::Prepared | Answer::Adopted))
                | Ok(Err(Failure::Final(Refusal::Dropped | Refusal::TooLarge))) => {
                    return Err(RequestError::Dropped(key.clone()));
                }
                Ok(Err(Failure::Final(Refusal::Overloaded))) => {
                    return Err(RequestError::Overloaded(key.clone()));
                }
                Ok(Err(Failure::Final(Refusal::NotOwner))) => Obstacle::NotOwner.text(),
                Ok(Err(Failure::Again(obstacle))) => obstacle.text(),
                Err(_) => {
                    return Err(RequestError::TimedOut {
                        key: key.clone(),
                        obstacle: "its owner is silent",
                    });
                }
            };
            if Instant::now() + pause >= deadline {
                return Err(RequestError::TimedOut {
                    key: key.clone(),
                    obstacle,
                });
            }
            // Whichever comes first: another view, or time for the owner to catch up with ours.
            drop(tokio::time::timeout(pause, placements.changed()).await);
            pause = (pause * 2).min(RETRY.end);
        }
    }

    /// Asks the target of a move until it has answered, or it is certain that it has no copy of the entity and will have
    /// none: for it is no member any more, or says that it does not own the entity. A target that is only to prepare is
    /// not asked on when another is the owner by now.
    ///
    /// # Errors
    /// When the entity is too large to be sent.
    pub(crate) async fn ask_target(
        self: &Arc<Self>,
        to: &NodeId,
        key: &Key,
        ask: Ask<E>,
    ) -> Result<Outcome, TooLarge> {
        let prepares = matches!(ask, Ask::Prepare { .. });
        let is_out = |placement: &Placement| {
            placement.view().member(to).is_none() || prepares && placement.owner_of(key) != Some(to)
        };
        let mut placements = self.placements();
        let mut pause = RETRY.start;
        loop {
            if is_out(&placements.borrow_and_update()) {
                return Ok(Outcome::TargetGone);
            }
            let out = async {
                while !is_out(&placements.borrow_and_update()) {
                    if placements.changed().await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                answer = self.ask(to, key, ask.clone()) => match answer {
                    Ok(_) => return Ok(Outcome::Done),
                    Err(Failure::Again(Obstacle::NotOwner)) if !prepares => return Ok(Outcome::TargetGone),
                    Err(Failure::Final(Refusal::TooLarge)) => return Err(TooLarge),
                    // A target that does not own the entity yet may own it soon.
                    Err(_) => {}
                },
                () = out => return Ok(Outcome::TargetGone),
            }
            // Whichever comes first: another view, or time for the target to catch up with ours.
            tokio::time::timeout(pause, placements.changed()).await.ok();
            pause = (pause * 2).min(RETRY.end);
        }
    }

    async fn ask(self: &Arc<Self>, to: &NodeId, key: &Key, ask: Ask<E>) -> Result<Answer<E>, Failure> {
        if *to == self.me {
            let (reply, answer) = ReplyTo::here();
            self.to_lane(
                key,
                LaneMessage::Ask {
                    key: key.clone(),
                    ask,
                    reply,
                    hold: None,
                },
            );
            return answer
                .await
                .unwrap_or(Err(Refusal::Dropped))
                .map_err(|refusal| match refusal {
                    Refusal::NotOwner => Failure::Again(Obstacle::NotOwner),
                    other => Failure::Final(other),
                });
        }
        let id = AskId(self.last_ask.fetch_add(1, Ordering::Relaxed));
        // What clients send fills no link: it waits here, and so do they.
        self.links.uncongested(to).await;
        let Some(version) = self.links.version(to) else {
            return Err(Failure::Again(Obstacle::NoLink));
        };
        let ask = match wire::encode(version, &ask) {
            Ok(ask) => ask,
            Err(error) => {
                error!(%key, %error, "a request could not be encoded");
                return Err(Failure::Final(Refusal::Dropped));
            }
        };
        let (sender, receiver) = oneshot::channel();
        lock(&self.asks).insert(
            id,
            PendingAsk {
                peer: to.clone(),
                answer: sender,
            },
        );
        let _guard = AskGuard { router: self, id };
        let key = key.clone();
        let message = match wire::encode(version, &LinkMessage::Ask { id, key, ask }) {
            Ok(message) => message,
            Err(error) => {
                error!(%error, "a request could not be encoded");
                return Err(Failure::Final(Refusal::Dropped));
            }
        };
        match self.links.send(to, message) {
            Ok(()) => {}
            Err(SendError::NoLink(_)) => return Err(Failure::Again(Obstacle::NoLink)),
            Err(error @ SendError::TooLarge { .. }) => {
                error!(peer = %to, %error, "a request cannot be sent");
                return Err(Failure::Final(Refusal::TooLarge));
            }
        }
        receiver.await.unwrap_or(Err(Failure::Again(Obstacle::LinkLost)))
    }

    /// Sends an answer to the node that asked.
    pub(crate) fn answer(&self, peer: &NodeId, id: AskId, answer: Result<Answer<E>, Refusal>) {
        let Some(version) = self.links.version(peer) else {
            // The asker knows already that no answer will come.
            return;
        };
        let answer = answer.and_then(|answer| {
            wire::encode(version, &answer).map_err(|error| {
                error!(%peer, %error, "an answer could not be encoded");
                Refusal::Dropped
            })
        });
        self.to_peer(peer, &LinkMessage::Answer { id, answer });
    }

    pub(super) fn answered(&self, peer: &NodeId, id: AskId, answer: Result<Bytes, Refusal>) {
        // An asker that stopped waiting has removed its question.
        let Some(pending) = lock(&self.asks).remove(&id) else {
            return;
        };
        let answer = match answer {
            Ok(bytes) => wire::decode(&bytes).map_err(|error| {
                error!(%peer, %error, "an answer from another node cannot be read");
                Failure::Final(Refusal::Dropped)
            }),
            Err(Refusal::NotOwner) => Err(Failure::Again(Obstacle::NotOwner)),
            Err(refusal) => Err(Failure::Final(refusal)),
        };
        drop(pending.answer.send(answer));
    }
}
