//! The router's part in pub/sub: who wants what, publishing, and making up for what links lost.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::{debug, error, warn};

use super::{Router, lock, members_of, mourning::Mourning};
use crate::{
    ask::{Introduction, LinkMessage},
    backlog::{Backlog, Parcel},
    entity::Entities,
    lane::LaneMessage,
    links::Credit,
    log::{History, Marks, Source},
    member::{NodeId, View},
    shard::Key,
    topic::{Interest, Publication, Subscribed, Topic},
    wire,
};

/// What this node keeps of its own publications, for peers whose link is cut: as long as lanes keep their logs.
const OWN_BACKLOG: (usize, Duration) = (8 << 20, Duration::from_secs(120));
/// What this node keeps of each other node's, in case that dies before it has told everybody: what can be under way.
const OTHERS_BACKLOG: (usize, Duration) = (1 << 20, Duration::from_secs(10));

/// After a partition, how long is waited for others that were lost in it before anything moves. An entity that moves between
/// two nodes must not say in the new place what a third hears before it hears what was said in the old.
const GATHERING: Duration = Duration::from_secs(1);

/// How long a node that is gone is remembered: longer than a partition that leaves no hole in the backlogs.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// Who wants what, and what was published.
pub(super) struct Topics {
    pub(super) interest: Interest,
    /// The number of this node's last publication.
    number: u64,
    sent: Backlog,
    /// What was heard of each other node.
    heard: HashMap<NodeId, Heard>,
    /// The introductions to the peers that have a link.
    introductions: HashMap<NodeId, Introduced>,
    last_introduction: u64,
    /// When a node that had been gone was last a member again.
    reunited_at: Option<Instant>,
    mourning: Mourning,
}

/// Whether a peer has taken notice of an introduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Introduced {
    /// Not yet: what it publishes before may lie behind what is to be sent again, and is sent again with it.
    Waiting(u64),
    /// It publishes what follows upon what was heard.
    Continuing,
}

struct Heard {
    /// The number of the last publication that could have come.
    number: u64,
    backlog: Backlog,
    /// How many lanes it has.
    lanes: u32,
    /// Whether it is known what it wants: not while it is no member, nor before it has said so again.
    has_wished: bool,
    /// Since when it is no member.
    gone_since: Option<Instant>,
    /// How often it has been taken for gone.
    counted_out: u64,
    /// How often it has taken this node for gone, as far as it has said.
    counted_me_out: u64,
}

impl Heard {
    fn up_to(number: u64) -> Self {
        let (bytes, age) = OTHERS_BACKLOG;
        Self {
            number,
            backlog: Backlog::new(bytes, age),
            lanes: 1,
            has_wished: false,
            gone_since: None,
            counted_out: 0,
            counted_me_out: 0,
        }
    }

    fn take(&mut self, parcel: Parcel) {
        self.number = self.number.max(parcel.number);
        self.backlog.push(parcel, Instant::now());
    }
}

impl Default for Topics {
    fn default() -> Self {
        let (bytes, age) = OWN_BACKLOG;
        Self {
            interest: Interest::default(),
            number: 0,
            sent: Backlog::new(bytes, age),
            heard: HashMap::new(),
            introductions: HashMap::new(),
            last_introduction: 0,
            reunited_at: None,
            mourning: Mourning::default(),
        }
    }
}

impl<E: Entities> Router<E> {
    pub(crate) fn subscribe(&self, topic: &Topic, lane: usize) -> Subscribed {
        let mut topics = lock(&self.topics);
        let subscription = topics.interest.subscribe(topic, lane);
        if let Some(change) = subscription.announce {
            // Under the lock, so that changes of one topic leave in their order.
            self.to_peers(&LinkMessage::Interest(change));
        }
        subscription.state
    }

    pub(crate) fn unsubscribe(&self, topic: &Topic, lane: usize) {
        let mut topics = lock(&self.topics);
        if let Some(change) = topics.interest.unsubscribe(topic, lane) {
            self.to_peers(&LinkMessage::Interest(change));
        }
    }

    /// Publishes to all who want the topic, here and elsewhere.
    pub(crate) fn publish(&self, topic: Topic, cause: u64, payload: E::Publication) {
        let mut topics = lock(&self.topics);
        topics.number += 1;
        let number = topics.number;
        let peers = topics.interest.nodes(&topic).to_vec();
        // Who is away may come back, and is told what it missed when it has said what it wants.
        let anybody_away = topics.heard.values().any(|heard| !heard.has_wished);
        if !peers.is_empty() || anybody_away {
            match wire::encode(&payload) {
                Ok(payload) => {
                    let parcel = Parcel {
                        number,
                        topic: topic.clone(),
                        cause,
                        payload,
                    };
                    match wire::encode(&LinkMessage::Publish(parcel.clone())) {
                        // Under the lock, so that numbers leave in their order.
                        Ok(message) => peers.iter().for_each(|peer| {
                            if !self.send(peer, message.clone()) {
                                debug!(%peer, number, "a publication waits for a link");
                            }
                        }),
                        Err(error) => error!(?topic, number, %error, "a publication could not be encoded"),
                    }
                    topics.sent.push(parcel, Instant::now());
                }
                Err(error) => error!(?topic, number, %error, "a publication could not be encoded"),
            }
        }
        let lanes = topics.interest.lanes(&topic);
        if lanes != 0 {
            let origin = self.me.clone();
            let publication = Arc::new(Publication {
                origin,
                number,
                topic,
                cause,
                payload,
            });
            self.to_lanes(lanes, || LaneMessage::Publication(publication.clone(), None));
        }
    }

    /// A peer has published something.
    pub(super) fn published(&self, peer: &NodeId, parcel: Parcel, credit: &Credit) {
        let mut topics = lock(&self.topics);
        let lanes = topics.interest.lanes(&parcel.topic);
        let continues = topics.introductions.get(peer) == Some(&Introduced::Continuing);
        let heard = topics
            .heard
            .entry(peer.clone())
            .or_insert_with(|| Heard::up_to(0));
        if heard.gone_since.is_some() || !continues {
            // Others count on its having said no more, or something is missing before this. It is sent again.
            debug!(origin = %peer, number = parcel.number, continues, "a publication comes out of turn");
            return;
        }
        heard.take(parcel.clone());
        drop(topics);
        self.hand_round(peer, parcel, lanes, credit);
    }

    /// A peer passes on what a node that is gone had published.
    pub(super) fn legacy(&self, origin: &NodeId, parcel: Parcel, credit: &Credit) {
        let mut topics = lock(&self.topics);
        let lanes = topics.interest.lanes(&parcel.topic);
        match topics.heard.get_mut(origin) {
            Some(heard) if heard.number < parcel.number => heard.take(parcel.clone()),
            _ => return,
        }
        drop(topics);
        self.hand_round(origin, parcel, lanes, credit);
    }

    fn hand_round(&self, origin: &NodeId, parcel: Parcel, lanes: u64, credit: &Credit) {
        let Parcel {
            number,
            topic,
            cause,
            payload,
        } = parcel;
        match wire::decode(&payload) {
            Ok(payload) => {
                let publication = Arc::new(Publication {
                    origin: origin.clone(),
                    number,
                    topic,
                    cause,
                    payload,
                });
                self.to_lanes(lanes, || {
                    LaneMessage::Publication(publication.clone(), Some(credit.clone()))
                });
            }
            Err(error) => error!(%origin, ?topic, number, %error, "a publication cannot be read"),
        }
    }

    /// Says to a peer what this node wants and how far it has heard it.
    pub(super) fn introduce(&self, peer: &NodeId) {
        let placement = self.placement();
        self.introduce_with(&mut lock(&self.topics), peer, placement.view());
    }

    fn introduce_with(&self, topics: &mut Topics, peer: &NodeId, view: &View) {
        let wanted = topics.interest.link_up(peer);
        let it = topics.heard.get(peer);
        let (heard, counted_out) = (it.map(|it| it.number), it.map_or(0, |it| it.counted_out));
        let number = topics.number;
        topics.last_introduction += 1;
        let introduction = topics.last_introduction;
        topics
            .introductions
            .insert(peer.clone(), Introduced::Waiting(introduction));
        self.to_peer(
            peer,
            &LinkMessage::Introduction(Introduction {
                introduction,
                topics: wanted,
                number,
                heard,
                members: members_of(view),
                lanes: self.lanes().len() as u32,
                counted_out,
            }),
        );
    }

    /// A peer has taken notice of an introduction.
    pub(super) fn peer_continues(&self, peer: &NodeId, introduction: u64) {
        if let Some(introduced) = lock(&self.topics).introductions.get_mut(peer)
            && *introduced == Introduced::Waiting(introduction)
        {
            *introduced = Introduced::Continuing;
        }
    }

    /// A peer has no link at present: it says again what it wants when it has one.
    pub(super) fn wishes_end(&self, peer: &NodeId) {
        lock(&self.topics).introductions.remove(peer);
        if let Some(heard) = lock(&self.topics).heard.get_mut(peer) {
            heard.has_wished = false;
        }
    }

    /// A peer has said what it wants, and how far it has heard this node if there was a link before: the rest follows.
    pub(super) fn peer_introduced(&self, peer: &NodeId, introduction: Introduction) {
        let Introduction {
            introduction,
            topics: wanted,
            number,
            heard,
            lanes,
            counted_out,
            members: _,
        } = introduction;
        let mut topics = lock(&self.topics);
        let it = topics
            .heard
            .entry(peer.clone())
            .or_insert_with(|| Heard::up_to(number));
        it.has_wished = true;
        it.lanes = lanes.max(1);
        if counted_out > std::mem::replace(&mut it.counted_me_out, counted_out) {
            self.to_all_lanes(|| LaneMessage::CountedOut { by: peer.clone() });
        }
        self.to_peer(peer, &LinkMessage::Continues { introduction });
        if let Some(heard) = heard {
            if !topics.sent.reaches_back_to(heard) {
                warn!(%peer, "the link was cut for too long: some publications cannot be sent again");
            }
            let missed = topics
                .sent
                .after(heard)
                .filter(|parcel| wanted.contains(&parcel.topic));
            let again = missed
                .filter(|parcel| self.to_peer(peer, &LinkMessage::Publish((*parcel).clone())))
                .count();
            if again > 0 {
                debug!(%peer, again, "publications are sent again that a cut link had lost");
            }
        }
        // Only now, so that what is published next comes after what was missed.
        topics.interest.introduced(peer, wanted);
    }

    /// Some who were gone are members again: they are asked for what came too late while they were not, before anybody here
    /// counts on having it. Says since when the first of them was gone.
    pub(super) fn welcome_back(&self, now: &View) -> Option<Instant> {
        let mut topics = lock(&self.topics);
        let mut back = Vec::new();
        for (node, heard) in &mut topics.heard {
            if now.member(node).is_some()
                && let Some(since) = heard.gone_since.take()
            {
                back.push((since, node.clone()));
            }
        }
        for (_, node) in back.iter().filter(|(_, node)| self.links.is_linked(node)) {
            self.introduce_with(&mut topics, node, now);
        }
        if !back.is_empty() {
            topics.reunited_at = Some(Instant::now());
        }
        back.into_iter().map(|(since, _)| since).min()
    }

    /// Some members are gone: those who stay tell each other how far they had heard them.
    pub(super) fn members_changed(&self, before: &View, now: &View) {
        let mut topics = lock(&self.topics);
        let at = Instant::now();
        for gone in before.others().filter(|member| now.member(&member.id).is_none()) {
            self.mourn(&mut topics, &gone.id, now, at);
        }
        topics.mourning.members_changed(|node| now.member(node).is_some());
        topics.heard.retain(|_, heard| {
            heard
                .gone_since
                .is_none_or(|gone_since| at.duration_since(gone_since) < REMEMBERED_FOR)
        });
        self.tell_who_is_mourned(&mut topics, at);
    }

    fn mourn(&self, topics: &mut Topics, gone: &NodeId, now: &View, at: Instant) {
        topics.interest.forget(gone);
        let Some(heard) = topics.heard.get_mut(gone) else {
            return;
        };
        heard.gone_since.get_or_insert(at);
        heard.counted_out += 1;
        heard.has_wished = false;
        let number = heard.number;
        let survivors = now.others().map(|member| member.id.clone());
        let survivors = survivors.filter(|node| topics.heard.contains_key(node));
        let survivors: HashSet<NodeId> = survivors.collect();
        let early = topics.mourning.begin(gone, survivors, at);
        self.to_peers(&LinkMessage::Heard {
            origin: gone.clone(),
            number,
        });
        for (peer, number) in early {
            self.tell_legacy(topics, &peer, gone, number);
        }
    }

    /// A peer has heard a node, which it takes for gone, up to this number.
    pub(super) fn peer_heard(&self, peer: &NodeId, origin: NodeId, number: u64) {
        let mut topics = lock(&self.topics);
        let is_here = |heard: &Heard| heard.gone_since.is_none();
        if topics.heard.get(&origin).is_some_and(is_here) {
            topics.mourning.spoke_early(origin, peer.clone(), number);
        } else {
            self.tell_legacy(&topics, peer, &origin, number);
        }
    }

    /// Tells a peer what this node has heard more of a node that is gone.
    fn tell_legacy(&self, topics: &Topics, peer: &NodeId, origin: &NodeId, number: u64) {
        if let Some(heard) = topics.heard.get(origin) {
            for parcel in heard.backlog.after(number) {
                self.to_peer(
                    peer,
                    &LinkMessage::Legacy {
                        origin: origin.clone(),
                        parcel: parcel.clone(),
                    },
                );
            }
        }
        self.to_peer(
            peer,
            &LinkMessage::LegacyTold {
                origin: origin.clone(),
            },
        );
    }

    /// A peer has told all that it had heard more of a node that is gone.
    pub(super) fn legacy_told(&self, peer: &NodeId, origin: &NodeId) {
        let mut topics = lock(&self.topics);
        topics.mourning.told(origin, peer);
        self.tell_who_is_mourned(&mut topics, Instant::now());
    }

    /// A peer has a link: it is told again what it may not have heard.
    pub(super) fn mourn_with(&self, peer: &NodeId) {
        let topics = lock(&self.topics);
        for origin in topics.mourning.waiting_for(peer) {
            if let Some(heard) = topics.heard.get(origin) {
                let (origin, number) = (origin.clone(), heard.number);
                self.to_peer(peer, &LinkMessage::Heard { origin, number });
            }
        }
    }

    /// Time has passed: nobody is waited for without end.
    pub(crate) fn tick(&self, now: Instant) {
        self.tell_who_is_mourned(&mut lock(&self.topics), now);
    }

    fn tell_who_is_mourned(&self, topics: &mut Topics, now: Instant) {
        for (dead, silent) in topics.mourning.over(now) {
            if !silent.is_empty() {
                warn!(node = %dead, ?silent, "some nodes do not say what they heard of a lost node; going on without");
            }
            self.to_all_lanes(|| LaneMessage::Mourned(dead.clone()));
        }
    }

    /// Whether nodes have just come back, and others may follow.
    pub(crate) fn is_gathering(&self, now: Instant) -> bool {
        let topics = lock(&self.topics);
        let is_recent = |at: Instant| now.saturating_duration_since(at) < GATHERING;
        topics.reunited_at.is_some_and(is_recent)
            && topics.heard.values().any(|heard| heard.gone_since.is_some())
    }

    /// Whether a node that may have a link is not a member.
    pub(super) fn is_gone(&self, node: &NodeId) -> bool {
        let is_gone = |heard: &Heard| heard.gone_since.is_some();
        lock(&self.topics).heard.get(node).is_some_and(is_gone)
    }

    /// Whether a node is gone and its entities live on elsewhere.
    pub(crate) fn is_mourned(&self, node: &NodeId) -> bool {
        let topics = lock(&self.topics);
        let is_gone = |heard: &Heard| heard.gone_since.is_some();
        topics.heard.get(node).is_some_and(is_gone) && !topics.mourning.contains(node)
    }

    // Barriers

    /// The nodes that may have published something which is still on its way here; this one included.
    pub(crate) fn barrier_nodes(&self) -> HashSet<NodeId> {
        let placement = self.placement();
        let topics = lock(&self.topics);
        let others = placement.view().others().map(|member| &member.id);
        let known = others.filter(|node| topics.heard.contains_key(node));
        known.chain([&self.me]).cloned().collect()
    }

    /// Asks a node to pass a barrier of a lane. Without a link it is to be asked again when there is one.
    pub(crate) fn send_barrier(&self, node: &NodeId, lane: usize, barrier: u64) {
        if *node == self.me {
            let number = lock(&self.topics).number;
            self.passed(node, lane, barrier, number);
        } else {
            let lane = lane as u32;
            self.to_peer(node, &LinkMessage::Barrier { lane, barrier });
        }
    }

    /// A peer wants to know that everything published so far has been sent to it.
    pub(super) fn pass(&self, peer: &NodeId, lane: u32, barrier: u64) {
        // Publications are sent under this lock: those before the barrier are before the answer.
        let topics = lock(&self.topics);
        let listens = |heard: &Heard| heard.has_wished && heard.gone_since.is_none();
        if !topics.heard.get(peer).is_some_and(listens) {
            // What it published is not taken here before it is a member again, nor does it get what it missed before it has
            // said what that is. It asks again when it is introduced.
            return;
        }
        let number = topics.number;
        self.to_peer(
            peer,
            &LinkMessage::Passed {
                lane,
                barrier,
                number,
            },
        );
    }

    pub(super) fn passed(&self, node: &NodeId, lane: usize, barrier: u64, number: u64) {
        if let Some(lane) = self.lanes().get(lane) {
            lane.tell(LaneMessage::Passed {
                node: node.clone(),
                barrier,
                number,
            });
        }
    }

    // Histories

    /// The lane of a node in which a key's shard runs, if that node has it.
    pub(crate) fn lane_at(&self, node: &NodeId, key: &Key) -> u32 {
        if *node == self.me {
            return self.lane_of(key) as u32;
        }
        let lanes = lock(&self.topics).heard.get(node).map_or(1, |heard| heard.lanes);
        self.placement().shards().shard_of(key).0 % lanes
    }

    /// Asks the owner of an entity what was published to a topic of it before a lane here heard that.
    pub(crate) fn ask_history(&self, owner: &NodeId, key: &Key, topic: &Topic, lane: usize) {
        let (topic, lane) = (topic.clone(), lane as u32);
        if *owner == self.me {
            let from = self.me.clone();
            self.to_lane(key, LaneMessage::HistoryWanted { from, topic, lane });
        } else {
            let key = key.clone();
            self.to_peer(owner, &LinkMessage::HistoryWanted { key, topic, lane });
        }
    }

    pub(crate) fn tell_history(
        &self,
        to: &NodeId,
        lane: u32,
        from_lane: usize,
        history: History<E::Publication>,
    ) {
        if *to == self.me {
            return self.history_told(to, lane, from_lane as u32, history, None);
        }
        let mut forgotten = history.forgotten;
        let mut publications = Vec::with_capacity(history.publications.len());
        for publication in &history.publications {
            match wire::encode(&publication.payload) {
                Ok(payload) => publications.push((
                    publication.origin.clone(),
                    Parcel {
                        number: publication.number,
                        topic: publication.topic.clone(),
                        cause: publication.cause,
                        payload,
                    },
                )),
                Err(error) => {
                    error!(topic = ?history.topic, %error, "a publication could not be encoded");
                    forgotten.advance(&publication.origin, publication.number);
                }
            }
        }
        self.to_peer(
            to,
            &LinkMessage::History {
                lane,
                from_lane: from_lane as u32,
                topic: history.topic,
                forgotten,
                publications,
            },
        );
    }

    pub(super) fn read_history(
        &self,
        from: &NodeId,
        topic: Topic,
        mut forgotten: Marks,
        parcels: Vec<(NodeId, Parcel)>,
    ) -> History<E::Publication> {
        let mut publications = Vec::with_capacity(parcels.len());
        for (origin, parcel) in parcels {
            match wire::decode(&parcel.payload) {
                Ok(payload) => publications.push(Arc::new(Publication {
                    origin,
                    number: parcel.number,
                    topic: parcel.topic,
                    cause: parcel.cause,
                    payload,
                })),
                Err(error) => {
                    error!(peer = %from, ?topic, %error, "a publication cannot be read");
                    forgotten.advance(&origin, parcel.number);
                }
            }
        }
        History {
            topic,
            forgotten,
            publications,
        }
    }

    pub(super) fn history_told(
        &self,
        node: &NodeId,
        lane: u32,
        from_lane: u32,
        history: History<E::Publication>,
        hold: Option<Credit>,
    ) {
        if let Some(lane) = self.lanes().get(lane as usize) {
            let from = Source {
                node: node.clone(),
                lane: from_lane,
            };
            lane.tell(LaneMessage::History { from, history, hold });
        }
    }
}
