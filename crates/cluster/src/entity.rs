//! What an embedder of the cluster provides: the entities that lanes host.

use std::{collections::HashSet, sync::Arc, time::Instant};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::oneshot;

use crate::{
    ask::{Answer, AskId, Refusal},
    lane::{CommitId, Lane},
    links::LinkLife,
    log::{Entry, Marks},
    member::NodeId,
    router::Router,
    shard::{Key, Placement},
    topic::{Publication, Topic},
};

/// A value that travels between nodes.
pub trait Wire: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Wire for T {}

/// What is to be told of an entity to the standby that has its replica.
#[derive(Debug)]
pub enum Change<D> {
    /// Nothing.
    None,
    /// What has changed since it was last told.
    Delta(D),
    /// All: what it was told last is not known.
    Whole,
}

/// How many bytes of memory a value holds, nearly enough to bound a queue by it.
pub trait Weigh {
    /// Bytes held.
    fn weight(&self) -> usize;
}

/// All entities of one lane, and what else lives in that lane.
///
/// A lane calls one method at a time and never concurrently; none may block. What a method puts into buffers goes out
/// in [`flush`](Self::flush), which the lane calls at the end of its turn when [`Lane::request_flush`] asked for it.
///
/// An entity is alive on at most one node. It is created by a request for which [`creates`](Self::creates) says so,
/// and moves by `topics` → `freeze` → `adopt` (on the other node) → `remove`.
pub trait Entities: Sized + Send + 'static {
    /// What entities are asked, from any node. Cloned to be sent again when it did not arrive; weighed where many wait.
    type Request: Wire + Clone + Weigh;
    /// What they answer.
    type Reply: Wire;
    /// All that an entity needs to live elsewhere.
    type Snapshot: Wire + Clone;
    /// What has changed of an entity: a part of what its snapshot has.
    type Delta: Wire;
    /// What lanes of different nodes tell each other, apart from requests.
    type Direct: Wire;
    /// What topics spread.
    type Publication: Wire + Sync + Weigh;
    /// What tasks of this node tell their lane.
    type Event: Send + 'static;

    /// Whether this request brings an entity into being.
    fn creates(request: &Self::Request) -> bool;

    /// Whether this request only asks if the entity is here: one that may be on its way is as good as none.
    fn is_inquiry(request: &Self::Request) -> bool;

    /// Cuts a message between nodes into the parts for each of the `lanes` here; `lane_of` knows the lane of a key.
    fn route(
        direct: Self::Direct,
        lanes: usize,
        lane_of: &dyn Fn(&Key) -> usize,
    ) -> Vec<(usize, Self::Direct)>;

    /// A request for an entity whose owner this node is for sure, whether the entity exists or not.
    fn request(&mut self, lane: &mut Lane<Self>, key: &Key, request: Self::Request, reply: ReplyTo<Self>);

    /// A task of this node has something to say.
    fn event(&mut self, lane: &mut Lane<Self>, event: Self::Event);

    /// A lane of another node has something to say.
    fn direct(&mut self, lane: &mut Lane<Self>, from: &NodeId, direct: Self::Direct);

    /// Something was published to a topic of this lane.
    fn publication(&mut self, lane: &mut Lane<Self>, publication: &Arc<Publication<Self::Publication>>);

    /// Every other node has sent what it had published when this entity raised a [barrier](Lane::barrier).
    fn passed(&mut self, lane: &mut Lane<Self>, key: &Key);

    /// The standby of this entity knows how it was when [`Lane::commit`] was called, or cannot be told.
    fn committed(&mut self, lane: &mut Lane<Self>, key: &Key, commit: CommitId);

    /// A subscription that was [pending](crate::topic::Subscribed::Pending) is now in force on every node.
    fn subscribed(&mut self, lane: &mut Lane<Self>, topic: &Topic);

    /// The members changed.
    fn placed(&mut self, lane: &mut Lane<Self>, before: &Placement, now: &Placement);

    /// A link to this node has come up: what was sent to it before may have been lost.
    fn linked(&mut self, lane: &mut Lane<Self>, peer: &NodeId);

    /// Nodes that had counted each other out are members again, and all entities are where they belong.
    fn reunited(&mut self, lane: &mut Lane<Self>);

    /// Time has passed; called every few milliseconds.
    fn tick(&mut self, lane: &mut Lane<Self>);

    /// The end of the lane's turn.
    fn flush(&mut self, lane: &mut Lane<Self>);

    /// The keys of all entities alive here.
    fn keys(&self) -> Vec<Key>;

    /// Whether the entity is alive here.
    fn contains(&self, key: &Key) -> bool;

    /// Whether this request may be meant for another copy of the entity, until all is where it belongs: because the one here
    /// has lost whom it serves, or has not heard from him since the members were `parted`, if they were.
    fn is_for_another(&self, key: &Key, request: &Self::Request, parted: Option<Instant>) -> bool;

    /// The topics which a node must hear before it can adopt this entity.
    fn topics(&self, key: &Key) -> Vec<Topic>;

    /// Stops an entity and takes its snapshot. None while a handler of it runs: it starts no other, and
    /// [`Lane::calm`] is called when that one has ended. A frozen entity gets no calls but `thaw` and `remove`.
    fn freeze(&mut self, lane: &mut Lane<Self>, key: &Key) -> Option<Self::Snapshot>;

    /// A frozen entity, or one that is about to be, stays after all. What it missed follows, and then [`resume`](Self::resume).
    fn thaw(&mut self, lane: &mut Lane<Self>, key: &Key);

    /// Something was published to a topic of this entity while it was frozen.
    fn missed(&mut self, lane: &mut Lane<Self>, key: &Key, entry: &Entry<Self::Publication>);

    /// An entity that was thawed or adopted has been served all that it missed. Only now it may do something of its own: what
    /// it says comes after what it missed.
    fn resume(&mut self, lane: &mut Lane<Self>, key: &Key);

    /// An entity comes to live here, which has been served up to these marks. What was published since follows, and then
    /// [`resume`](Self::resume).
    fn adopt(&mut self, lane: &mut Lane<Self>, key: &Key, snapshot: Self::Snapshot, marks: &Marks);

    /// Whether an arriving copy of an entity is to be preferred to that which lives here. There are two after a
    /// partition, or when an arrival was confirmed and the confirmation got lost.
    fn is_better(&self, key: &Key, arriving: &Self::Snapshot) -> bool;

    /// What the standby of the entity's shard is to keep, if anything.
    ///
    /// What [`change`](Self::change) gives from now on counts from here.
    fn replica(&mut self, lane: &mut Lane<Self>, key: &Key) -> Option<Self::Snapshot>;

    /// What has changed of the entity since its replica was last told. What its standby need not know of for itself goes along
    /// with the next change that it must, unless it `must_know` all of it now.
    fn change(&mut self, lane: &mut Lane<Self>, key: &Key, must_know: bool) -> Change<Self::Delta>;

    /// Brings a replica up to date. Says whether the entity hears other topics than before.
    fn apply(replica: &mut Self::Snapshot, delta: Self::Delta) -> bool;

    /// The topics of the entity in a snapshot: the standby hears them, so that it misses nothing that its replica would
    /// have heard.
    fn topics_of(snapshot: &Self::Snapshot) -> Vec<Topic>;

    /// The owner of an entity is gone, and here it lives on from its replica. What it was served since, those tell who
    /// ask for it.
    fn revive(&mut self, lane: &mut Lane<Self>, key: &Key, replica: Self::Snapshot);

    /// This node did not run for a while, and others have taken over these entities: they are forgotten, without a word to
    /// anybody.
    fn give_up(&mut self, lane: &mut Lane<Self>, keys: &HashSet<Key>);

    /// The frozen entity lives elsewhere now, or a better copy of it comes.
    fn remove(&mut self, lane: &mut Lane<Self>, key: &Key);

    /// Ends an entity whose code panicked or whose state cannot be continued.
    fn kill(&mut self, lane: &mut Lane<Self>, key: &Key, why: &str);
}

/// Where the reply to a request goes. Dropped without a reply, it tells the asker so.
pub struct ReplyTo<E: Entities>(Option<Destination<E>>);

enum Destination<E: Entities> {
    Here(oneshot::Sender<Result<Answer<E>, Refusal>>),
    There {
        router: Arc<Router<E>>,
        peer: NodeId,
        id: AskId,
        /// By which link the question came: the answer to it is expected while that is up.
        link: LinkLife,
    },
}

impl<E: Entities> ReplyTo<E> {
    pub(crate) fn here() -> (Self, oneshot::Receiver<Result<Answer<E>, Refusal>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(Destination::Here(sender))), receiver)
    }

    pub(crate) fn there(router: Arc<Router<E>>, peer: NodeId, id: AskId, link: LinkLife) -> Self {
        Self(Some(Destination::There {
            router,
            peer,
            id,
            link,
        }))
    }

    /// Whether somebody waits for the reply. Who asked by a link that is down has asked again, perhaps somebody else.
    pub(crate) fn is_awaited(&self) -> bool {
        match &self.0 {
            Some(Destination::Here(sender)) => !sender.is_closed(),
            Some(Destination::There { link, .. }) => link.is_up(),
            None => false,
        }
    }

    /// Answers the request.
    pub fn send(self, reply: E::Reply) {
        self.answer(Ok(Answer::Entity(reply)));
    }

    /// Says that the entity is on its way elsewhere: the asker will ask there.
    pub fn moved(self) {
        self.answer(Err(Refusal::NotOwner));
    }

    /// The node whose client waits for the reply; none if it is this one.
    pub fn peer(&self) -> Option<&NodeId> {
        match &self.0 {
            Some(Destination::There { peer, .. }) => Some(peer),
            _ => None,
        }
    }

    pub(crate) fn answer(mut self, result: Result<Answer<E>, Refusal>) {
        self.deliver(result);
    }

    fn deliver(&mut self, result: Result<Answer<E>, Refusal>) {
        match self.0.take() {
            // An asker that is gone needs no reply.
            Some(Destination::Here(sender)) => drop(sender.send(result)),
            Some(Destination::There { router, peer, id, .. }) => router.answer(&peer, id, result),
            None => {}
        }
    }
}

impl<E: Entities> Drop for ReplyTo<E> {
    fn drop(&mut self) {
        self.deliver(Err(Refusal::Dropped));
    }
}

impl<E: Entities> std::fmt::Debug for ReplyTo<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplyTo")
            .field("peer", &self.peer())
            .finish_non_exhaustive()
    }
}
