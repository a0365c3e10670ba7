//! What tests of both databases need.

#![allow(dead_code, unused_imports, reason = "each test binary uses its part of it")]

pub mod load;
pub mod postgres;
pub mod processes;

use std::{future::Future, time::Duration};

use hither_store::{
    Author, ClientId, LoginLimits, MessageKind, NewMessage, NewRoom, Number, Person, PersonName, Room,
    RoomId, RoomName, SecretHash, Store,
};

pub const LIMITS: LoginLimits = LoginLimits {
    idle: Duration::from_secs(3600),
    absolute: Duration::from_secs(7200),
};

pub fn name(text: &str) -> PersonName {
    PersonName::new(text).unwrap()
}

pub fn room_name(text: &str) -> RoomName {
    RoomName::new(text).unwrap()
}

pub fn number(number: u64) -> Number {
    Number::new(number)
}

pub fn secret(byte: u8) -> SecretHash {
    SecretHash::new([byte; 32])
}

pub async fn member(store: &Store, text: &str) -> Person {
    store.create_member(&name(text), "$argon2id$…").await.unwrap()
}

pub async fn public_room(store: &Store, text: &str, owner: &Person) -> Room {
    new_room(store, text, owner, false).await
}

pub async fn new_room(store: &Store, text: &str, owner: &Person, private: bool) -> Room {
    let name = room_name(text);
    let room = NewRoom {
        name,
        private,
        topic: String::new(),
        owner: Some(owner.id),
    };
    store.create_room(room).await.unwrap()
}

pub fn message(room: RoomId, author: &Person, text: &str) -> NewMessage {
    NewMessage {
        room,
        author: Author::Person(author.id),
        client_id: ClientId::random(),
        kind: MessageKind::Text,
        text: text.to_owned(),
        reply_to: None,
        attachments: Vec::new(),
    }
}

pub async fn say(store: &Store, room: &Room, author: &Person, text: &str) -> Number {
    store.append(message(room.id, author, text)).await.unwrap().number
}

/// Waits for something to be so.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    seconds: u64,
    mut check: impl FnMut() -> F,
) -> T {
    let asked = async {
        loop {
            if let Some(value) = check().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(seconds), asked).await {
        Ok(value) => value,
        Err(_) => panic!("not within {seconds} s: {what}"),
    }
}

/// That a call fails with a certain error.
macro_rules! refused {
    ($call:expr, $pattern:pat) => {
        match $call.await {
            Err($pattern) => {}
            other => panic!(
                "{} gave {other:?}, not {}",
                stringify!($call),
                stringify!($pattern)
            ),
        }
    };
}
pub(crate) use refused;
