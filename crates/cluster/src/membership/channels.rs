//! Which datagrams are believed, and how a node is told what makes its own believed. No IO, no clock.
//!
//! The secret alone does not tell a datagram from a recording of it. So each node draws tokens, a new one every
//! [`PERIOD`], and believes gossip only if it shows one that it has drawn lately. Every datagram brings its sender's
//! token, so nodes that gossip have them. Who has none, or an old one, says hello first and is answered with a
//! challenge:
//!
//! ```text
//! A → B  hello, A's token
//! B → A  challenge: A's token shown, B's token       A knows that B answers now
//! A → B  gossip: B's token shown                     B knows that A speaks now
//! ```
//!
//! - A recording is refused by a node that was started since, for it draws other tokens; and by one that was not, by its
//!   number, as long as the token is valid, and later by the token.
//! - What was held back on the way is believed for two periods at most, by the clock of who receives it alone: the clocks of
//!   nodes are not compared.
//! - A token is good for one node, so what was meant for another is refused; so is what was sent to another address.
//! - Where an answer goes is what the sender says, sealed, and not where the datagram came from.
//! - A hello or an old datagram that is played back costs one short answer to the node that it came from first.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    datagram::{self, Content, Datagram, Message, Origin, Sealer, Token, Unopened},
    window::Window,
};
use crate::secret::GossipKeys;

/// How often a new token is drawn. One is valid for at least one period after it was told, and two after it was drawn.
pub(super) const PERIOD: Duration = Duration::from_secs(10);

/// How long gossip waits for the answer to a hello. After that there is newer gossip.
const PENDING: Duration = Duration::from_secs(2);

/// How many other nodes a node has to do with: lives that were heard lately, and addresses that were sent to.
const MOST_PEERS: usize = 4096;

/// This node's end of what passes between it and all others.
pub(super) struct Channels {
    /// Where the others reach this node.
    advertised: SocketAddr,
    /// Where it listens.
    bound: SocketAddr,
    sealer: Sealer,
    tokens: Tokens,
    /// By address: what makes a datagram to it believed.
    peers: HashMap<SocketAddr, Peer>,
    /// By life: which datagrams have come.
    windows: HashMap<Origin, Heard>,
}

struct Tokens {
    current: Token,
    previous: Token,
    drawn: Instant,
}

struct Peer {
    token: Option<(Token, Instant)>,
    /// The last gossip for it, while there is no token.
    pending: Option<Bytes>,
    used: Instant,
}

struct Heard {
    window: Window,
    last: Instant,
}

/// What comes of a datagram.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Gossip that is to be believed, and whom to answer.
    pub(super) gossip: Option<(SocketAddr, Bytes)>,
    /// A datagram to send.
    pub(super) send: Option<(SocketAddr, Vec<u8>)>,
    /// Why the datagram counts for nothing.
    pub(super) refused: Option<Refused>,
}

/// Why a datagram is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Unopened(#[from] Unopened),
    #[error("this node has sent it")]
    Own,
    #[error("it was meant for {0}")]
    ForAnother(SocketAddr),
    #[error("it is old, or was sent before this node started")]
    Old,
    #[error("it has come before")]
    Repeated,
    #[error("too many nodes have been heard")]
    TooMany,
}

impl Tokens {
    fn new(now: Instant) -> Self {
        Self {
            current: Token::draw(),
            previous: Token::draw(),
            drawn: now,
        }
    }

    fn current(&mut self, now: Instant) -> Token {
        let age = now.duration_since(self.drawn);
        if age >= PERIOD {
            let next = Token::draw();
            let last = std::mem::replace(&mut self.current, next);
            self.previous = if age < PERIOD * 2 { last } else { Token::draw() };
            self.drawn = now;
        }
        self.current
    }

    fn is_valid(&mut self, token: Token, now: Instant) -> bool {
        self.current(now) == token || self.previous == token
    }
}

impl Channels {
    pub(super) fn new(advertised: SocketAddr, bound: SocketAddr, now: Instant) -> Self {
        Self {
            advertised,
            bound,
            sealer: Sealer::new(),
            tokens: Tokens::new(now),
            peers: HashMap::new(),
            windows: HashMap::new(),
        }
    }

    /// What to send so that this gossip comes to a node: a datagram with it, or a hello before it. `None` if it is too long.
    pub(super) fn send(
        &mut self,
        to: SocketAddr,
        payload: Bytes,
        keys: &GossipKeys,
        now: Instant,
    ) -> Option<Vec<u8>> {
        self.make_room(now);
        let peer = self.peers.entry(to).or_insert(Peer {
            token: None,
            pending: None,
            used: now,
        });
        peer.used = now;
        let content = match peer.token {
            Some((shown, since)) if now.duration_since(since) < PERIOD => {
                peer.pending = None;
                Content::Gossip { shown, payload }
            }
            _ => {
                peer.pending = Some(payload);
                Content::Hello
            }
        };
        self.seal(to, content, keys, now)
    }

    /// What comes of a datagram.
    pub(super) fn receive(&mut self, datagram: &[u8], keys: &GossipKeys, now: Instant) -> Outcome {
        let opened = datagram::open(keys, datagram).map_err(Refused::from);
        match opened.and_then(|datagram| self.consider(datagram, keys, now)) {
            Ok(outcome) => outcome,
            Err(refused) => Outcome {
                refused: Some(refused),
                ..Outcome::default()
            },
        }
    }

    fn consider(&mut self, datagram: Datagram, keys: &GossipKeys, now: Instant) -> Result<Outcome, Refused> {
        let Datagram {
            origin,
            number,
            message,
        } = datagram;
        let Message {
            from,
            to,
            token,
            content,
        } = message;
        if origin == self.sealer.origin() {
            return Err(Refused::Own);
        }
        if !self.is_here(to) {
            return Err(Refused::ForAnother(to));
        }
        let (shown, gossip) = match content {
            Content::Hello => return Ok(self.challenge(from, token, keys, now)),
            Content::Challenge { shown } => (shown, None),
            Content::Gossip { shown, payload } => (shown, Some((from, payload))),
        };
        if !self.tokens.is_valid(shown, now) {
            // Who speaks now is told how to be believed. A challenge is not answered, so that there is an end.
            let mut outcome = match gossip {
                Some(_) => self.challenge(from, token, keys, now),
                None => Outcome::default(),
            };
            outcome.refused = Some(Refused::Old);
            return Ok(outcome);
        }
        let send = self.learn(origin, number, from, token, keys, now)?;
        Ok(Outcome {
            gossip,
            send,
            refused: None,
        })
    }

    fn challenge(&mut self, to: SocketAddr, shown: Token, keys: &GossipKeys, now: Instant) -> Outcome {
        let datagram = self.seal(to, Content::Challenge { shown }, keys, now);
        Outcome {
            send: datagram.map(|datagram| (to, datagram)),
            ..Outcome::default()
        }
    }

    /// A node has shown a token of this one: its own is good for it. Returns the gossip that has waited for that.
    fn learn(
        &mut self,
        origin: Origin,
        number: u64,
        from: SocketAddr,
        token: Token,
        keys: &GossipKeys,
        now: Instant,
    ) -> Result<Option<(SocketAddr, Vec<u8>)>, Refused> {
        self.make_room(now);
        if self.windows.len() >= MOST_PEERS && !self.windows.contains_key(&origin) {
            return Err(Refused::TooMany);
        }
        let heard = self.windows.entry(origin).or_insert(Heard {
            window: Window::default(),
            last: now,
        });
        let is_latest = heard.window.is_latest(number);
        if !heard.window.take(number) {
            return Err(Refused::Repeated);
        }
        heard.last = now;
        // Of datagrams that overtook each other the last sent has the newest token.
        if !is_latest {
            return Ok(None);
        }
        let peer = self.peers.entry(from).or_insert(Peer {
            token: None,
            pending: None,
            used: now,
        });
        peer.token = Some((token, now));
        let since = std::mem::replace(&mut peer.used, now);
        let pending = peer.pending.take();
        let fresh = pending.filter(|_| now.duration_since(since) < PENDING);
        Ok(fresh.and_then(|payload| {
            let content = Content::Gossip {
                shown: token,
                payload,
            };
            Some((from, self.seal(from, content, keys, now)?))
        }))
    }

    fn seal(&mut self, to: SocketAddr, content: Content, keys: &GossipKeys, now: Instant) -> Option<Vec<u8>> {
        let message = Message {
            from: self.advertised,
            to,
            token: self.tokens.current(now),
            content,
        };
        self.sealer.seal(keys.spoken(), message)
    }

    /// Whether this is an address of this node. It may listen at all addresses of its machine.
    fn is_here(&self, to: SocketAddr) -> bool {
        let is_bound = to.port() == self.bound.port()
            && (to.ip() == self.bound.ip() || self.bound.ip().is_unspecified());
        is_bound || to == self.advertised
    }

    /// Forgets what is of no use any more, once there is much. A life is remembered while a token is valid that it may have
    /// shown.
    fn make_room(&mut self, now: Instant) {
        if self.windows.len() >= MOST_PEERS / 2 {
            self.windows
                .retain(|_, heard| now.duration_since(heard.last) < PERIOD * 2);
        }
        if self.peers.len() >= MOST_PEERS {
            self.peers
                .retain(|_, peer| now.duration_since(peer.used) < PERIOD);
        }
        if self.peers.len() >= MOST_PEERS {
            // A hello more for each.
            self.peers.clear();
        }
    }
}

#[cfg(test)]
#[path = "channels/tests.rs"]
mod tests;
