//! Asking all lanes of all nodes: which sessions there are, who has a socket.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hither_cluster::{Marks, NodeId, Position, Topic, View};
use hither_socketio::{Event, RecoveryId};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{holders::Holder, sights::Sights};

/// Ties replies to their question, on the node that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct QueryId(u64);

/// A question to every lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Query {
    pub(crate) id: QueryId,
    pub(crate) question: Question,
}

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Which sessions live with you? Each lane names at most so many.
    Lives { limit: usize },
    /// Have the handlers of those who hear this topic told this.
    Tell(Topic, Event),
    /// Which of your sessions have the sockets that can be recovered with these?
    Holds(Vec<RecoveryId>),
    /// Which marks does this position in some lane's log stand for?
    Marks(Position),
}

/// What one lane answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct QueryReply {
    pub(crate) id: QueryId,
    /// How many lanes of that node answer.
    pub(crate) lanes: usize,
    pub(crate) found: Found,
}

/// What was found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) holders: Vec<Holder>,
    pub(crate) marks: Option<Marks>,
    pub(crate) sights: Sights,
}

/// The questions of one node that wait for replies.
#[derive(Default)]
pub(crate) struct Queries {
    last: AtomicU64,
    pending: Mutex<HashMap<QueryId, Pending>>,
}

struct Pending {
    /// Per node, how many of its lanes have yet to reply; none before the first of them has.
    waiting: HashMap<NodeId, Option<usize>>,
    found: Found,
    done: oneshot::Sender<Found>,
}

impl Queries {
    /// Begins a query that these nodes are to answer.
    pub(crate) fn begin(
        &self,
        nodes: impl IntoIterator<Item = NodeId>,
    ) -> (QueryId, oneshot::Receiver<Found>) {
        let id = QueryId(self.last.fetch_add(1, Ordering::Relaxed));
        let (done, receiver) = oneshot::channel();
        let waiting = nodes.into_iter().map(|node| (node, None)).collect();
        self.lock().insert(
            id,
            Pending {
                waiting,
                found: Found::default(),
                done,
            },
        );
        (id, receiver)
    }

    /// A lane has replied.
    pub(crate) fn reply(&self, from: &NodeId, reply: QueryReply) {
        let mut pending = self.lock();
        let Some(query) = pending.get_mut(&reply.id) else {
            return;
        };
        let Some(waiting) = query.waiting.get_mut(from) else {
            return;
        };
        query.found.holders.extend(reply.found.holders);
        query.found.marks = query.found.marks.take().or(reply.found.marks);
        query.found.sights.absorb(reply.found.sights);
        let left = waiting.unwrap_or(reply.lanes).saturating_sub(1);
        *waiting = Some(left);
        if left == 0 {
            query.waiting.remove(from);
        }
        Self::finish(&mut pending, reply.id);
    }

    /// Nodes that are no members any more will not reply.
    pub(crate) fn members_changed(&self, view: &View) {
        let mut pending = self.lock();
        let ids: Vec<QueryId> = pending.keys().copied().collect();
        for id in ids {
            if let Some(query) = pending.get_mut(&id) {
                query.waiting.retain(|node, _| view.member(node).is_some());
            }
            Self::finish(&mut pending, id);
        }
    }

    /// These nodes are not waited for.
    pub(crate) fn pass_over(&self, id: QueryId, nodes: &[NodeId]) {
        let mut pending = self.lock();
        if let Some(query) = pending.get_mut(&id) {
            query.waiting.retain(|node, _| !nodes.contains(node));
        }
        Self::finish(&mut pending, id);
    }

    /// Gives a query up: what was found so far, and the nodes that have not replied.
    pub(crate) fn abandon(&self, id: QueryId) -> (Found, Vec<NodeId>) {
        self.lock()
            .remove(&id)
            .map(|query| (query.found, query.waiting.into_keys().collect()))
            .unwrap_or_default()
    }

    fn finish(pending: &mut HashMap<QueryId, Pending>, id: QueryId) {
        // What a position stands for, all who know say alike.
        let is_done = |query: &Pending| query.waiting.is_empty() || query.found.marks.is_some();
        if pending.get(&id).is_some_and(is_done)
            && let Some(query) = pending.remove(&id)
        {
            // Who asked may have stopped waiting.
            drop(query.done.send(query.found));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueryId, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither_cluster::Incarnation;

    fn node(name: &str) -> NodeId {
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(1),
        }
    }

    fn reply(id: QueryId, lanes: usize, session: &str) -> QueryReply {
        QueryReply {
            id,
            lanes,
            found: Found {
                holders: vec![Holder::example(session)],
                ..Found::default()
            },
        }
    }

    fn found(receiver: &mut oneshot::Receiver<Found>) -> Option<Vec<String>> {
        let holders = receiver.try_recv().ok()?.holders;
        Some(
            holders
                .iter()
                .map(|holder| holder.session.as_str().to_owned())
                .collect(),
        )
    }

    #[test]
    fn done_when_every_lane_of_every_node_has_replied() {
        let queries = Queries::default();
        let (id, mut receiver) = queries.begin([node("a"), node("b")]);
        queries.reply(&node("a"), reply(id, 2, "1"));
        queries.reply(&node("b"), reply(id, 1, "2"));
        assert_eq!(found(&mut receiver), None);
        queries.reply(&node("a"), reply(id, 2, "3"));
        assert_eq!(found(&mut receiver).unwrap(), ["1", "2", "3"]);
    }

    #[test]
    fn a_node_that_is_gone_is_not_waited_for() {
        let queries = Queries::default();
        let (id, mut receiver) = queries.begin([node("a"), node("b")]);
        queries.reply(&node("a"), reply(id, 1, "1"));
        queries.members_changed(&View {
            me: node("a"),
            members: [].into(),
        });
        assert_eq!(found(&mut receiver).unwrap(), ["1"]);
    }

    #[test]
    fn who_cannot_be_asked_is_not_waited_for() {
        let queries = Queries::default();
        let (id, mut receiver) = queries.begin([node("a"), node("b")]);
        queries.pass_over(id, &[node("b")]);
        assert_eq!(found(&mut receiver), None);
        queries.reply(&node("a"), reply(id, 1, "1"));
        assert_eq!(found(&mut receiver).unwrap(), ["1"]);
    }

    #[test]
    fn one_who_knows_a_position_is_enough() {
        let queries = Queries::default();
        let (id, mut receiver) = queries.begin([node("a"), node("b")]);
        let mut knows = reply(id, 4, "1");
        knows.found.marks = Some(Marks::default());
        queries.reply(&node("a"), knows);
        assert!(receiver.try_recv().unwrap().marks.is_some());
    }

    #[test]
    fn an_abandoned_query_names_who_is_silent() {
        let queries = Queries::default();
        let (id, _receiver) = queries.begin([node("a"), node("b")]);
        queries.reply(&node("a"), reply(id, 1, "1"));
        let (found, silent) = queries.abandon(id);
        assert_eq!(found.holders.len(), 1);
        assert_eq!(silent, [node("b")]);
        queries.reply(&node("b"), reply(id, 1, "2"));
    }
}
