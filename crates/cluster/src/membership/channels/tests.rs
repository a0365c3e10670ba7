use super::*;
use crate::secret::{Secrets, testing::secret};

fn address(host: u8) -> SocketAddr {
    ([10, 0, 0, host], 7001).into()
}

fn keys() -> GossipKeys {
    Secrets::from(secret("ours")).gossip_keys()
}

/// A node, and the time.
struct Node {
    address: SocketAddr,
    channels: Channels,
}

impl Node {
    fn new(host: u8, now: Instant) -> Self {
        let address = address(host);
        Self {
            address,
            channels: Channels::new(address, address, now),
        }
    }

    fn send(&mut self, to: &Node, payload: &'static str, now: Instant) -> Vec<u8> {
        let payload = Bytes::from_static(payload.as_bytes());
        self.channels.send(to.address, payload, &keys(), now).unwrap()
    }

    fn receive(&mut self, datagram: &[u8], now: Instant) -> Outcome {
        self.channels.receive(datagram, &keys(), now)
    }
}

fn gossip(outcome: &Outcome) -> Option<&str> {
    let (_, payload) = outcome.gossip.as_ref()?;
    std::str::from_utf8(payload).ok()
}

/// What comes to `to` when it is sent gossip, and all datagrams on the way there.
fn tell(from: &mut Node, to: &mut Node, payload: &'static str, now: Instant) -> (Outcome, Vec<Vec<u8>>) {
    let mut datagrams = vec![from.send(to, payload, now)];
    loop {
        let outcome = to.receive(datagrams.last().unwrap(), now);
        let Some((_, answer)) = &outcome.send else {
            return (outcome, datagrams);
        };
        let answered = from.receive(answer, now);
        match answered.send {
            Some((address, datagram)) => {
                assert_eq!(address, to.address);
                datagrams.push(datagram);
            }
            None => return (outcome, datagrams),
        }
    }
}

fn pair(now: Instant) -> (Node, Node) {
    (Node::new(1, now), Node::new(2, now))
}

#[test]
fn the_first_gossip_arrives_after_a_hello_and_what_follows_at_once() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let (outcome, datagrams) = tell(&mut a, &mut b, "first", now);
    assert_eq!((gossip(&outcome), datagrams.len()), (Some("first"), 2));
    assert_eq!(outcome.gossip.unwrap().0, a.address);
    let (outcome, datagrams) = tell(&mut b, &mut a, "back", now);
    assert_eq!((gossip(&outcome), datagrams.len()), (Some("back"), 1));
    let (outcome, datagrams) = tell(&mut a, &mut b, "second", now);
    assert_eq!((gossip(&outcome), datagrams.len()), (Some("second"), 1));
}

#[test]
fn nodes_that_gossip_need_no_further_hello() {
    let mut now = Instant::now();
    let (mut a, mut b) = pair(now);
    tell(&mut a, &mut b, "first", now);
    tell(&mut b, &mut a, "back", now);
    for _ in 0..20 {
        now += PERIOD / 2;
        let (outcome, datagrams) = tell(&mut a, &mut b, "there", now);
        assert_eq!((gossip(&outcome), datagrams.len()), (Some("there"), 1));
        let (outcome, datagrams) = tell(&mut b, &mut a, "back", now);
        assert_eq!((gossip(&outcome), datagrams.len()), (Some("back"), 1));
    }
}

#[test]
fn after_a_long_silence_gossip_arrives_after_a_hello() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    tell(&mut a, &mut b, "first", now);
    let (outcome, datagrams) = tell(&mut a, &mut b, "later", now + PERIOD * 50);
    assert_eq!((gossip(&outcome), datagrams.len()), (Some("later"), 2));
}

#[test]
fn a_recording_is_refused_at_once_and_later() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let (_, datagrams) = tell(&mut a, &mut b, "first", now);
    let recorded = datagrams.last().unwrap();
    assert_eq!(b.receive(recorded, now).refused, Some(Refused::Repeated));
    for later in [PERIOD, PERIOD * 2, PERIOD * 50] {
        let outcome = b.receive(recorded, now + later);
        assert!(outcome.refused.is_some() && outcome.gossip.is_none(), "{later:?}");
    }
}

#[test]
fn a_recording_is_refused_by_a_node_that_has_just_started() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let (_, mut recorded) = tell(&mut a, &mut b, "first", now);
    recorded.push(a.send(&b, "second", now));
    let mut restarted = Node::new(2, now);
    let hello = restarted.send(&a, "hello", now);
    let challenge = b.receive(&a.send(&b, "third", now), now);
    recorded.extend(challenge.send.map(|(_, datagram)| datagram));
    for datagram in &recorded {
        assert_eq!(restarted.receive(datagram, now).gossip, None);
    }
    // Nor does it keep the living node out.
    let challenge = a.receive(&hello, now).send.unwrap().1;
    let sent = restarted.receive(&challenge, now).send.unwrap().1;
    assert_eq!(gossip(&a.receive(&sent, now)), Some("hello"));
    let (outcome, _) = tell(&mut a, &mut restarted, "welcome", now);
    assert_eq!(gossip(&outcome), Some("welcome"));
}

#[test]
fn what_was_held_back_is_refused_after_two_periods() {
    let mut now = Instant::now();
    let (mut a, mut b) = pair(now);
    tell(&mut a, &mut b, "first", now);
    let held_back = [a.send(&b, "one", now), a.send(&b, "two", now)];
    now += PERIOD / 2;
    assert_eq!(gossip(&b.receive(&held_back[0], now)), Some("one"));
    let outcome = b.receive(&held_back[1], now + PERIOD * 2);
    assert_eq!(gossip(&outcome), None);
    assert_eq!(outcome.refused, Some(Refused::Old));
}

#[test]
fn who_is_told_that_its_token_is_old_is_believed_the_next_time() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    tell(&mut a, &mut b, "first", now);
    let mut restarted = Node::new(2, now);
    let outcome = restarted.receive(&a.send(&b, "lost", now), now);
    assert_eq!(outcome.refused, Some(Refused::Old));
    let (to, challenge) = outcome.send.unwrap();
    assert_eq!(to, a.address);
    assert_eq!(a.receive(&challenge, now), Outcome::default());
    let arrives = a.send(&restarted, "arrives", now);
    assert_eq!(gossip(&restarted.receive(&arrives, now)), Some("arrives"));
}

#[test]
fn what_is_sent_back_to_its_sender_is_refused() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let (_, datagrams) = tell(&mut a, &mut b, "first", now);
    for datagram in datagrams {
        assert_eq!(a.receive(&datagram, now).refused, Some(Refused::Own));
    }
}

#[test]
fn what_was_meant_for_another_is_refused() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let mut c = Node::new(3, now);
    tell(&mut a, &mut b, "first", now);
    tell(&mut a, &mut c, "first", now);
    let for_b = a.send(&b, "for b", now);
    assert_eq!(
        c.receive(&for_b, now).refused,
        Some(Refused::ForAnother(b.address))
    );
    // Nor if it takes the other's address: it is not the node that has been heard there.
    let mut usurper = Node::new(2, now);
    assert_eq!(usurper.receive(&for_b, now).refused, Some(Refused::Old));
}

#[test]
fn a_challenge_counts_only_for_who_has_said_hello() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let hello = a.send(&b, "first", now);
    let challenge = b.receive(&hello, now).send.unwrap().1;
    let mut restarted = Node::new(1, now);
    assert_eq!(restarted.receive(&challenge, now).refused, Some(Refused::Old));
    assert_eq!(restarted.receive(&challenge, now).send, None);
    assert!(a.receive(&challenge, now).send.is_some());
    assert_eq!(a.receive(&challenge, now).refused, Some(Refused::Repeated));
}

#[test]
fn an_answer_is_never_longer_than_what_it_answers() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    // What is played back is answered each time, and no other address than that of its sender.
    let hello = a.send(&b, "first", now);
    for _ in 0..3 {
        let (to, answer) = b.receive(&hello, now).send.unwrap();
        assert_eq!(to, a.address);
        assert!(
            answer.len() <= hello.len() + 16,
            "{} for {}",
            answer.len(),
            hello.len()
        );
    }
}

#[test]
fn who_listens_at_all_addresses_is_reached_at_each() {
    let now = Instant::now();
    let everywhere = "0.0.0.0:7001".parse().unwrap();
    let mut b = Channels::new(address(2), everywhere, now);
    let mut a = Node::new(1, now);
    let mut hello = |to: &str| {
        let datagram = a.channels.send(to.parse().unwrap(), Bytes::new(), &keys(), now);
        b.receive(&datagram.unwrap(), &keys(), now).refused
    };
    assert_eq!(hello("127.0.0.1:7001"), None);
    assert!(matches!(hello("127.0.0.1:7002"), Some(Refused::ForAnother(_))));
}

#[test]
fn gossip_does_not_wait_for_long() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let hello = a.send(&b, "stale", now);
    let challenge = b.receive(&hello, now).send.unwrap().1;
    assert_eq!(a.receive(&challenge, now + PENDING), Outcome::default());
}

#[test]
fn addresses_that_do_not_answer_are_forgotten() {
    let now = Instant::now();
    let mut a = Node::new(1, now);
    for number in 0..MOST_PEERS as u32 * 2 {
        let address = SocketAddr::from((std::net::Ipv4Addr::from(number), 7001));
        a.channels.send(address, Bytes::new(), &keys(), now).unwrap();
        assert!(a.channels.peers.len() <= MOST_PEERS);
    }
}
