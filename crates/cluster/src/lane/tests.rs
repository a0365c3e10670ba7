//! In which order a lane calls its entities, and what it tells them of itself.

use std::{
    collections::HashSet,
    marker::PhantomData,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde::{Deserialize, Serialize};

use super::*;
use crate::{
    entity::{Change, Weigh},
    links::LinkListener,
    log::{Entry, Marks},
    member::{Member, Phase, View, testing::node},
    shard::ShardCount,
};

const ROOM: &str = "room";
const NEVER: Duration = Duration::from_secs(3_600);

/// What is published.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Word(String);

impl Weigh for Word {
    fn weight(&self) -> usize {
        self.0.len()
    }
}

/// One entity, in one room, which writes down what it is called for.
#[derive(Default)]
struct Recorder {
    lives_here: Option<Key>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    fn note(&self, call: impl Into<String>) {
        self.calls.lock().unwrap().push(call.into());
    }

    fn note_doubt(&self, lane: &Lane<Self>, call: &str) {
        let doubt = if lane.is_in_doubt() { " in doubt" } else { "" };
        self.note(format!("{call}{doubt}"));
    }
}

impl Entities for Recorder {
    type Request = Word;
    type Reply = ();
    type Snapshot = ();
    type Delta = ();
    type Direct = ();
    type Publication = Word;
    type Event = ();

    fn creates(_: &Word) -> bool {
        false
    }

    fn is_inquiry(_: &Word) -> bool {
        false
    }

    fn route((): (), _: usize, _: &dyn Fn(&Key) -> usize) -> Vec<(usize, ())> {
        Vec::new()
    }

    fn request(&mut self, _: &mut Lane<Self>, _: &Key, _: Word, _: ReplyTo<Self>) {}

    fn event(&mut self, lane: &mut Lane<Self>, (): ()) {
        self.note_doubt(lane, "event");
    }

    fn direct(&mut self, _: &mut Lane<Self>, _: &NodeId, (): ()) {}

    fn publication(&mut self, _: &mut Lane<Self>, publication: &Arc<Publication<Word>>) {
        self.note(format!("hears {}", publication.payload.0));
    }

    fn passed(&mut self, _: &mut Lane<Self>, _: &Key) {}

    fn committed(&mut self, _: &mut Lane<Self>, _: &Key, _: CommitId) {}

    fn subscribed(&mut self, _: &mut Lane<Self>, _: &Topic) {}

    fn placed(&mut self, lane: &mut Lane<Self>, _: &Placement, _: &Placement) {
        self.note_doubt(lane, "placed");
    }

    fn linked(&mut self, lane: &mut Lane<Self>, _: &NodeId) {
        self.note_doubt(lane, "linked");
    }

    fn reunited(&mut self, _: &mut Lane<Self>) {}

    fn tick(&mut self, _: &mut Lane<Self>) {}

    fn flush(&mut self, _: &mut Lane<Self>) {}

    fn keys(&self) -> Vec<Key> {
        self.lives_here.iter().cloned().collect()
    }

    fn contains(&self, key: &Key) -> bool {
        self.lives_here.as_ref() == Some(key)
    }

    fn is_for_another(&self, _: &Key, _: &Word, _: Option<Instant>) -> bool {
        false
    }

    fn topics(&self, _: &Key) -> Vec<Topic> {
        vec![ROOM.into()]
    }

    fn freeze(&mut self, _: &mut Lane<Self>, _: &Key) -> Option<()> {
        self.note("freeze");
        Some(())
    }

    fn thaw(&mut self, _: &mut Lane<Self>, _: &Key) {
        self.note("thaw");
    }

    fn missed(&mut self, _: &mut Lane<Self>, _: &Key, entry: &Entry<Word>) {
        self.note(format!("missed {}", entry.publication.payload.0));
    }

    fn resume(&mut self, _: &mut Lane<Self>, _: &Key) {
        self.note("resume");
    }

    fn adopt(&mut self, _: &mut Lane<Self>, key: &Key, (): (), _: &Marks) {
        self.lives_here = Some(key.clone());
        self.note("adopt");
    }

    fn is_better(&self, _: &Key, (): &()) -> bool {
        false
    }

    fn replica(&mut self, _: &mut Lane<Self>, _: &Key) -> Option<()> {
        None
    }

    fn change(&mut self, _: &mut Lane<Self>, _: &Key, _: bool) -> Change<()> {
        Change::None
    }

    fn apply((): &mut (), (): ()) -> bool {
        false
    }

    fn topics_of((): &()) -> Vec<Topic> {
        vec![ROOM.into()]
    }

    fn revive(&mut self, _: &mut Lane<Self>, _: &Key, (): ()) {}

    fn give_up(&mut self, _: &mut Lane<Self>, _: &HashSet<Key>) {}

    fn remove(&mut self, _: &mut Lane<Self>, _: &Key) {}

    fn kill(&mut self, _: &mut Lane<Self>, _: &Key, reason: &str) {
        self.note(format!("killed: {reason}"));
    }
}

/// What the lane tells itself goes here, and is given to it when the test says so.
struct Mailbox;

impl Actor for Mailbox {
    type Msg = LaneMessage<Recorder>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// A lane that is handed its messages by the test, on a node "a" that sees a node "b", to which it has no link.
struct Scene {
    lane: LaneState<Recorder>,
    calls: Arc<Mutex<Vec<String>>>,
    published: u64,
}

impl Scene {
    async fn new() -> Self {
        let listener = LinkListener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let shards = ShardCount::try_from(16).unwrap();
        let router = Arc::new(Router::new(Arc::new(view()), shards, 1, listener.sender()));
        let entities = Recorder::default();
        let calls = entities.calls.clone();
        let (mailbox, _) = Actor::spawn(None, Mailbox, ()).await.unwrap();
        let arguments = LaneArguments {
            index: 0,
            router,
            entities,
            log: LogLimits::default(),
            moves_in_flight: 1,
            replicate: false,
            doubt_after: NEVER,
        };
        let mut lane = LaneActor(PhantomData)
            .pre_start(mailbox, arguments)
            .await
            .unwrap();
        lane.lane.subscribe(&ROOM.into());
        lane.handle(LaneMessage::Flows(Flow {
            node: node("b"),
            topic: Some(ROOM.into()),
            after: 0,
        }));
        Self {
            lane,
            calls,
            published: 0,
        }
    }

    /// A key that this node owns.
    fn key(&self) -> Key {
        let placement = &self.lane.lane.placement;
        let mut keys = (0..).map(|number| Key::from(format!("key{number}")));
        let is_mine = |key: &Key| placement.is_mine(placement.shards().shard_of(key));
        keys.find(is_mine).unwrap()
    }

    /// The node "b" publishes to the room.
    fn publish(&mut self, word: &str) {
        self.published += 1;
        let publication = Publication {
            origin: node("b"),
            number: self.published,
            topic: ROOM.into(),
            cause: 0,
            payload: Word(word.into()),
        };
        self.lane
            .handle(LaneMessage::Publication(Arc::new(publication), None));
    }

    /// The entity comes, which has been served up to these marks.
    fn adopt(&mut self, key: &Key, marks: &Marks) {
        let (prepared, _) = ReplyTo::here();
        self.lane.prepare(key.clone(), vec![ROOM.into()], prepared);
        self.lane
            .subscribed(&ROOM.into(), self.lane.lane.pending[&ROOM.into()]);
        let (adopted, _) = ReplyTo::here();
        self.lane.adopt(key, 1, (), marks, adopted);
    }

    /// A message comes, which is handled unless it is held.
    fn comes(&mut self, message: LaneMessage<Recorder>) {
        if let Some(message) = self.lane.admit(message) {
            self.lane.handle(message);
        }
    }

    /// What the entity was called for since the last time.
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

fn view() -> View {
    let address = ([127, 0, 0, 1], 1).into();
    let member = |name: &str| {
        let member = Member {
            id: node(name),
            phase: Phase::Up,
            http: address,
            gossip: address,
            link: address,
        };
        (member.id.name.clone(), member)
    };
    View {
        me: node("a"),
        members: [member("a"), member("b")].into(),
    }
}

#[tokio::test]
async fn an_entity_that_comes_acts_only_when_it_has_heard_what_it_missed() {
    let mut scene = Scene::new().await;
    scene.publish("one");
    let marks = scene.lane.lane.log.seen().clone();
    scene.publish("two");
    scene.publish("three");
    assert_eq!(scene.calls(), ["hears one", "hears two", "hears three"]);
    let key = scene.key();
    scene.adopt(&key, &marks);
    assert_eq!(scene.calls(), ["adopt", "missed two", "missed three", "resume"]);
}

#[tokio::test]
async fn an_entity_that_stays_after_all_acts_only_when_it_has_heard_what_it_missed() {
    let mut scene = Scene::new().await;
    let key = scene.key();
    scene.adopt(&key, &Marks::default());
    scene.lane.freeze(&key);
    scene.publish("one");
    assert_eq!(scene.calls(), ["adopt", "resume", "freeze", "hears one"]);
    scene.lane.thaw(&key);
    assert_eq!(scene.calls(), ["thaw", "missed one", "resume"]);
}

#[tokio::test]
async fn entities_know_that_their_lane_is_in_doubt_and_hear_what_came_afterwards() {
    let mut scene = Scene::new().await;
    scene.lane.paused(NEVER);
    scene.comes(LaneMessage::Event(()));
    scene.comes(LaneMessage::Placed(scene.lane.lane.placement.clone()));
    scene.comes(LaneMessage::LinkUp(node("b")));
    assert_eq!(scene.calls(), ["placed in doubt", "linked in doubt"]);
    scene.lane.passed([Waiting::Doubt]);
    assert_eq!(scene.calls(), ["event"]);
    scene.comes(LaneMessage::LinkUp(node("b")));
    assert_eq!(scene.calls(), ["linked"]);
}
