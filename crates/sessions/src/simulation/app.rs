//! The handlers of the simulation: what a client asks for is text, and a socket's data is a list of words.

use std::time::Duration;

use bytes::Bytes;
use hither_replication::ShardId;

use crate::{Asks, Destination, Effects, Emit, Job, SocketId, Topic};

/// How long a client has to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

pub(super) fn bytes(text: impl Into<String>) -> Bytes {
    Bytes::from(text.into().into_bytes())
}

pub(super) fn words(data: &Bytes) -> Vec<String> {
    text(data).split_whitespace().map(str::to_owned).collect()
}

pub(super) fn topic(shard: u32) -> Topic {
    Topic {
        shard: ShardId(shard),
        name: format!("room{shard}").into(),
    }
}

/// What a handler does. Answers say how many words the data have by then.
pub(super) fn handle(socket: SocketId, data: &Bytes, job: Job) -> Effects {
    let mut words = words(data);
    let mut effects = Effects::default();
    match job {
        Job::Connect(auth) => {
            if text(&auth) == "stranger" {
                effects.refusal = Some(bytes("who are you?"));
            }
            return effects;
        }
        Job::Event { event, wants_answer } => {
            let parts: Vec<&str> = text(&event).split_whitespace().collect();
            act(&parts, &mut words, &mut effects);
            if wants_answer {
                let x = parts.last().copied().unwrap_or_default();
                effects.answer = Some(bytes(format!("{x} {}", words.len())));
            }
        }
        Job::Acked { context, outcome } => {
            let kind = if outcome.is_ok() { "acked" } else { "lost" };
            words.push(format!("{kind}{}", text(&context)));
        }
        Job::Recovered => words.push("recovered".into()),
        Job::Disconnected => {
            let bye = bytes(format!("bye {}", socket.number));
            effects.sends.push((Destination::Topic(topic(0)), bye));
        }
    }
    // Always, as who cannot tell whether it was touched: what is the same is not recorded.
    effects.data = Some(bytes(words.join(" ")));
    effects
}

fn act(parts: &[&str], words: &mut Vec<String>, effects: &mut Effects) {
    let number = |index: usize| parts[index].parse::<u64>().expect("a number");
    let room = |index: usize| topic(u32::try_from(number(index)).expect("a shard"));
    match parts {
        ["echo", _] => {}
        ["add", x] => words.push(format!("add{x}")),
        ["say", _, x] => effects
            .sends
            .push((Destination::Topic(room(1)), bytes(format!("say {x}")))),
        ["both", _, _, x] => effects.sends.push((
            Destination::Topics(vec![room(1), room(2)]),
            bytes(format!("say {x}")),
        )),
        ["addsay", _, x] => {
            words.push(format!("add{x}"));
            effects
                .sends
                .push((Destination::Topic(room(1)), bytes(format!("say {x}"))));
        }
        ["tell", x] => effects.emits.push(Emit {
            event: bytes(format!("tell {x}")),
            asks: None,
        }),
        ["ask", x] => effects.emits.push(Emit {
            event: bytes(format!("ask {x}")),
            asks: Some(Asks {
                context: bytes(*x),
                timeout: PATIENCE,
            }),
        }),
        ["whisper", shard, socket, x] => {
            let to = SocketId {
                shard: ShardId(shard.parse().expect("a shard")),
                number: socket.parse().expect("a number"),
            };
            effects
                .sends
                .push((Destination::Socket(to), bytes(format!("whisper {x}"))));
        }
        ["join", _, _] => effects.joins.push(room(1)),
        ["leave", _, _] => effects.leaves.push(room(1)),
        other => panic!("nobody asks for {other:?}"),
    }
}
