//! Says at the end whether everybody was told what was to be told, and whether what was answered is so.

use std::collections::BTreeMap;

use super::{
    Verdict,
    client::{Answered, Client},
};

/// The words of each socket that has not ended, in the end.
pub(super) fn verdict(clients: &[Client], words: &BTreeMap<u64, Vec<String>>) -> Verdict {
    for client in clients {
        if let Some(words) = words.get(&client.socket.number) {
            data(client, words)?;
            told(client, clients)?;
        } else if !client.is_over && !client.is_leaving && client.was_connected {
            return Err(format!("{:?} is lost", client.socket));
        }
    }
    one_order(clients)
}

/// The same after a split. What one side was answered may be lost, but whoever was answered that does not go on as if it were
/// not: it has a fresh socket.
pub(super) fn verdict_of_split(clients: &[Client], words: &BTreeMap<u64, Vec<String>>) -> Verdict {
    for client in clients {
        if let Some(words) = words.get(&client.socket.number) {
            data(client, words)?;
        }
    }
    Ok(())
}

/// What was answered is in the data, where it was then; and nothing is there twice.
fn data(client: &Client, words: &[String]) -> Verdict {
    let count = |word: &str| words.iter().filter(|it| *it == word).count();
    for Answered { pending, length, .. } in &client.answered {
        let (kind, x) = kind(&pending.event);
        if kind.starts_with("add") && words.get(length - 1) != Some(&format!("add{x}")) {
            return Err(format!(
                "{:?} was answered {pending:?} and has {words:?}",
                client.socket
            ));
        }
        if kind == "ask" && count(&format!("acked{x}")) + count(&format!("lost{x}")) != 1 {
            return Err(format!("{:?} asked {pending:?} and has {words:?}", client.socket));
        }
    }
    for word in words.iter().filter(|word| *word != "recovered") {
        let outcome = word.replace("lost", "acked");
        if count(word) > 1 || outcome != *word && count(&outcome) > 0 {
            return Err(format!("{:?} has {word} twice: {words:?}", client.socket));
        }
    }
    Ok(())
}

/// What was sent to a client while that could hear it, and was answered, has come.
fn told(client: &Client, clients: &[Client]) -> Verdict {
    let is_told = |kind: &str, x: u64| client.told.get(kind).is_some_and(|told| told.contains(&x));
    let answers = || clients.iter().flat_map(|sender| &sender.answered);
    let me = client.socket.number.to_string();
    for answered in answers() {
        let parts: Vec<&str> = answered.pending.event.split_whitespace().collect();
        let x = answered.pending.x;
        let (kind, is_for_me) = match parts.as_slice() {
            ["whisper", _, to, _] => ("whisper", *to == me),
            ["say" | "addsay", room, _] => ("say", is_in_room(client, room, answered)),
            // Who is in both is told through one of them; those who hear it have no common order.
            ["both", one, other, _] => {
                let is_in_any = is_in_room(client, one, answered) || is_in_room(client, other, answered);
                ("say", is_in_any)
            }
            _ => continue,
        };
        if is_for_me && !is_told(kind, x) {
            return Err(format!(
                "{:?} was never told {:?}",
                client.socket, answered.pending
            ));
        }
    }
    for answered in &client.answered {
        let (kind, x) = kind(&answered.pending.event);
        if kind == "tell" && !is_told("tell", x) {
            return Err(format!(
                "{:?} was never told {:?}",
                client.socket, answered.pending
            ));
        }
    }
    let tells = client.told.get("tell").map(Vec::as_slice).unwrap_or_default();
    if !tells.is_sorted() {
        return Err(format!("{:?} was told {tells:?}", client.socket));
    }
    senders(client, clients)
}

/// What one client sends to another comes in the order in which it was sent.
fn senders(client: &Client, clients: &[Client]) -> Verdict {
    let told = client.told.get("whisper").map(Vec::as_slice).unwrap_or_default();
    for sender in clients {
        let sent = sender.answered.iter().map(|answered| answered.pending.x);
        let sent: Vec<u64> = sent.collect();
        let order: Vec<u64> = told.iter().copied().filter(|x| sent.contains(x)).collect();
        if !order.is_sorted() {
            return Err(format!("{:?} was told {order:?}", client.socket));
        }
    }
    Ok(())
}

/// Whether a client was in a room when something was said there, and has not left since: who leaves hears no more than
/// it was told by then.
fn is_in_room(client: &Client, room: &str, said: &Answered) -> bool {
    let mut since = None;
    for answered in &client.answered {
        let parts: Vec<&str> = answered.pending.event.split_whitespace().collect();
        if matches!(parts.as_slice(), ["join", it, _] if *it == room) && answered.at < said.pending.sent_at {
            since = Some(answered.pending.sent_at);
        }
    }
    // A leave that was not answered may have been handled, too.
    since.is_some_and(|since| !client.left.iter().any(|(it, at)| *it == room && *at >= since))
}

/// All who hear a room hear it in one order.
fn one_order(clients: &[Client]) -> Verdict {
    let said = |client: &Client| client.told.get("say").cloned().unwrap_or_default();
    let rooms = rooms(clients);
    for one in clients {
        for other in clients {
            let (one_said, other_said) = (said(one), said(other));
            for room in rooms.values() {
                let common = |told: &[u64], by: &[u64]| -> Vec<u64> {
                    let both = told.iter().copied();
                    both.filter(|x| by.contains(x) && room.contains(x)).collect()
                };
                if common(&one_said, &other_said) != common(&other_said, &one_said) {
                    return Err(format!(
                        "{:?} was told {one_said:?}, and {:?} {other_said:?}",
                        one.socket, other.socket
                    ));
                }
            }
        }
    }
    Ok(())
}

/// What was said in each room.
fn rooms(clients: &[Client]) -> BTreeMap<String, Vec<u64>> {
    let mut rooms: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (room, x) in clients.iter().flat_map(|client| &client.said) {
        rooms.entry(room.clone()).or_default().push(*x);
    }
    rooms
}

fn kind(event: &str) -> (&str, u64) {
    let mut parts = event.split_whitespace();
    let kind = parts.next().unwrap_or_default();
    let x = parts.next_back().and_then(|x| x.parse().ok());
    (kind, x.unwrap_or_default())
}
