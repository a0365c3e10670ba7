//! Entities that go to live elsewhere.

use tracing::{debug, info, warn};

use super::{LaneMessage, LaneState, barriers::Waiting};
use crate::{
    ask::Ask,
    entity::Entities,
    handoff::{Action, Outcome},
    log::Marks,
    member::NodeId,
    router::TooLarge,
    shard::Key,
};

/// The snapshot of an entity that is being adopted elsewhere.
pub(super) struct Frozen<E: Entities> {
    move_id: u64,
    snapshot: E::Snapshot,
    /// How far the entity was served when it was frozen.
    marks: Marks,
}

impl<E: Entities> LaneState<E> {
    /// Does what the handoff wants, until it wants nothing more.
    pub(super) fn settle_moves(&mut self) {
        for key in std::mem::take(&mut self.lane.ended) {
            self.handoff.gone(&key);
            self.withdraw_replica(&key);
        }
        for key in std::mem::take(&mut self.lane.calmed) {
            if self.handoff.is_freezing(&key) {
                self.freeze(&key);
            }
        }
        while let Some(action) = self.handoff.next_action() {
            match action {
                Action::Prepare { key, to } => {
                    // Clients name positions in this lane's log when they come back.
                    self.lane.follow(&to);
                    let ask = Ask::Prepare {
                        topics: self.entities.topics(&key),
                    };
                    self.ask_target(key, to, ask, |key, to, outcome| LaneMessage::Prepared {
                        key,
                        to,
                        outcome,
                    });
                }
                Action::Barrier { round } => {
                    let nodes = self.lane.router.barrier_nodes();
                    self.lane.raise(nodes, Waiting::Handoff { round });
                }
                Action::Freeze { key } => self.freeze(&key),
                Action::Adopt { key, to } => {
                    if let Some(Frozen {
                        move_id,
                        snapshot,
                        marks,
                    }) = self.frozen.get(&key)
                    {
                        let ask = Ask::Adopt {
                            move_id: *move_id,
                            snapshot: snapshot.clone(),
                            marks: marks.clone(),
                        };
                        self.ask_target(key, to, ask, |key, to, outcome| LaneMessage::Adopted {
                            key,
                            to,
                            outcome,
                        });
                    }
                }
                Action::Remove { key, to } => self.remove(&key, to),
                Action::Thaw { key } => self.thaw(&key),
            }
        }
        self.lane.router.note_moves(self.lane.index, self.handoff.left());
        if self.handoff.is_done() && self.orphaned_by.is_empty() && !self.gathering && !self.done {
            self.done = true;
            self.log_moved();
            self.lane.router.lane_done(self.lane.index, self.placements);
        }
    }

    /// Starts a task that asks the target until it answers or is gone, and then tells this lane.
    fn ask_target(
        &self,
        key: Key,
        to: NodeId,
        ask: Ask<E>,
        done: impl FnOnce(Key, NodeId, Outcome) -> LaneMessage<E> + Send + 'static,
    ) {
        let (router, myself) = (self.lane.router.clone(), self.lane.myself.clone());
        tokio::spawn(async move {
            myself.tell(match router.ask_target(&to, &key, ask).await {
                Ok(outcome) => done(key, to, outcome),
                Err(TooLarge) => LaneMessage::TooLarge { key },
            });
        });
    }

    /// An entity cannot be moved: it ends, so that nothing else waits for it.
    pub(super) fn too_large(&mut self, key: &Key) {
        self.frozen.remove(key);
        self.entities
            .kill(&mut self.lane, key, "it is too large to be moved to another node");
    }

    pub(super) fn freeze(&mut self, key: &Key) {
        let mut snapshot = None;
        self.guarded(Some(key), |entities, lane| snapshot = entities.freeze(lane, key));
        if let Some(snapshot) = snapshot {
            self.frozen.insert(
                key.clone(),
                Frozen {
                    move_id: rand::random(),
                    snapshot,
                    marks: self.lane.log.seen().clone(),
                },
            );
            self.handoff.frozen(key);
        }
    }

    pub(super) fn thaw(&mut self, key: &Key) {
        let frozen = self.frozen.remove(key);
        self.guarded(Some(key), |entities, lane| entities.thaw(lane, key));
        if let Some(frozen) = frozen {
            self.catch_up(key, &frozen.marks);
        }
        self.guarded(Some(key), |entities, lane| entities.resume(lane, key));
    }

    /// Serves an entity what was published to its topics after `marks`.
    pub(super) fn catch_up(&mut self, key: &Key, marks: &Marks) {
        match self.lane.log.after(marks, &self.entities.topics(key)) {
            Ok(missed) => {
                for entry in missed {
                    self.guarded(Some(key), |entities, lane| entities.missed(lane, key, &entry));
                }
            }
            Err(gap) => {
                warn!(%key, %gap, "cannot serve an entity without a gap; ending it");
                self.entities
                    .kill(&mut self.lane, key, "cannot continue without a gap");
            }
        }
    }

    fn remove(&mut self, key: &Key, to: NodeId) {
        self.frozen.remove(key);
        self.guarded(Some(key), |entities, lane| entities.remove(lane, key));
        self.withdraw_replica(key);
        let shard = self.lane.placement.shards().shard_of(key);
        debug!(%key, %shard, %to, "moved");
        *self.moved.entry((shard, to)).or_default() += 1;
    }

    /// One line per shard that has moved.
    fn log_moved(&mut self) {
        let mut moved: Vec<_> = std::mem::take(&mut self.moved).into_iter().collect();
        moved.sort();
        for ((shard, to), sessions) in moved {
            info!(%shard, from = %self.lane.node(), %to, sessions, "shard moved with its sessions");
        }
    }
}
