//! What clients ask for, read from their events and checked as far as that goes without knowing the client.

use bytestring::ByteString;
use hither::{Event, PersonKey};
use hither_store::{
    AttachmentId, ClientId, MessageKind, Number, PersonName, RoomId, RoomName, Timestamp, WebhookId,
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::refusal::{Code, Refusal};

/// What a client asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    RoomList(RoomList),
    RoomCreate(RoomCreate),
    RoomJoin(RoomJoin),
    RoomLeave(InRoom),
    RoomDirect(Named),
    RoomInvite(PersonInRoom),
    RoomDecline(InRoom),
    RoomTopic(RoomTopic),
    RoomRole(RoomRole),
    RoomRemove(PersonInRoom),
    RoomBan(PersonInRoom),
    RoomUnban(PersonInRoom),
    RoomMembers(RoomMembers),
    RoomSettings(RoomSettings),
    RoomRead(RoomRead),
    MessageSend(MessageSend),
    MessageEdit(MessageEdit),
    MessageDelete(MessageAt),
    MessageReact(MessageReact),
    MessageHistory(MessageHistory),
    MessageChanges(MessageChanges),
    MessageSearch(MessageSearch),
    PresenceList(PresenceList),
    WebhookCreate(PersonInRoom),
    WebhookList(InRoom),
    WebhookDelete(WebhookDelete),
    Typing(InRoom),
}

/// The requests, with what belongs into each.
macro_rules! requests {
    ($($name:literal => $variant:ident, $expected:literal;)*) => {
        fn read(name: &str, event: &Event) -> Result<Request, Refusal> {
            match name {
                $($name => first($name, $expected, event).map(Request::$variant),)*
                unknown => {
                    let shown: String = unknown.chars().take(64).collect();
                    Err(Refusal::bad(format!("There is no request {shown:?} here.")))
                }
            }
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$($name),*];
    };
}

requests! {
    "room.list" => RoomList, r#"{"query": "text"?, "after": "text"?}"#;
    "room.create" => RoomCreate, r#"{"name": "the room's name", "kind": "public" or "private", "topic": "text"?}"#;
    "room.join" => RoomJoin, r#"{"room": "a room's id"} or {"name": "a room's name"}"#;
    "room.leave" => RoomLeave, r#"{"room": "a room's id"}"#;
    "room.direct" => RoomDirect, r#"{"name": "a person's name"}"#;
    "room.invite" => RoomInvite, r#"{"room": "a room's id", "name": "a person's name"}"#;
    "room.decline" => RoomDecline, r#"{"room": "a room's id"}"#;
    "room.topic" => RoomTopic, r#"{"room": "a room's id", "topic": "text"}"#;
    "room.role" => RoomRole, r#"{"room": "a room's id", "name": "a person's name", "role": "moderator" or "member"}"#;
    "room.remove" => RoomRemove, r#"{"room": "a room's id", "name": "a person's name"}"#;
    "room.ban" => RoomBan, r#"{"room": "a room's id", "name": "a person's name"}"#;
    "room.unban" => RoomUnban, r#"{"room": "a room's id", "name": "a person's name"}"#;
    "room.members" => RoomMembers, r#"{"room": "a room's id", "after": "what next was"?}"#;
    "room.settings" => RoomSettings, r#"{"room": "a room's id", "muted": true or false?, "order": a whole number?}"#;
    "room.read" => RoomRead, r#"{"room": "a room's id", "number": a message's number}"#;
    "message.send" => MessageSend,
        r#"{"room": "a room's id", "id": "1 to 64 of A-Z a-z 0-9 _ -", "text": "text", "kind": "text" or "action"?, "replyTo": a message's number?, "attachments": [an upload's id]?}"#;
    "message.edit" => MessageEdit, r#"{"room": "a room's id", "number": a message's number, "text": "text"}"#;
    "message.delete" => MessageDelete, r#"{"room": "a room's id", "number": a message's number}"#;
    "message.react" => MessageReact,
        r#"{"room": "a room's id", "number": a message's number, "emoji": "an emoji", "on": true or false}"#;
    "message.history" => MessageHistory,
        r#"{"room": "a room's id", and at most one of "before", "after", "around" (a number) and "date" (a time), "limit": 1 to 50?}"#;
    "message.changes" => MessageChanges, r#"{"room": "a room's id", "since": what changed was}"#;
    "message.search" => MessageSearch, r#"{"room": "a room's id", "query": "text", "before": a message's number?}"#;
    "presence.list" => PresenceList, r#"{"room": "a room's id", "after": "what next was"?}"#;
    "webhook.create" => WebhookCreate, r#"{"room": "a room's id", "name": "the webhook's name"}"#;
    "webhook.list" => WebhookList, r#"{"room": "a room's id"}"#;
    "webhook.delete" => WebhookDelete, r#"{"room": "a room's id", "id": "a webhook's id"}"#;
    "typing" => Typing, r#"{"room": "a room's id"}"#;
}

impl Request {
    /// Reads an event. Arguments after the first and unknown fields are let pass, so that newer clients can say more.
    pub(crate) fn read(event: &Event) -> Result<Self, Refusal> {
        read(event.name.as_str(), event)
    }
}

fn first<T: DeserializeOwned>(name: &str, expected: &str, event: &Event) -> Result<T, Refusal> {
    event
        .args
        .parse_first()
        .map_err(|error| Refusal::bad(format!("{name:?} goes with {expected}: {error}.")))
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct RoomList {
    #[serde(default)]
    pub(crate) query: String,
    pub(crate) after: Option<RoomName>,
}

/// What kind a new room is of.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NewKind {
    Public,
    Private,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct RoomCreate {
    pub(crate) name: String,
    pub(crate) kind: NewKind,
    #[serde(default)]
    pub(crate) topic: String,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum RoomJoin {
    Id { room: RoomId },
    Name { name: String },
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct InRoom {
    pub(crate) room: RoomId,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct PersonInRoom {
    pub(crate) room: RoomId,
    pub(crate) name: String,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct RoomTopic {
    pub(crate) room: RoomId,
    pub(crate) topic: String,
}

/// A role that can be given.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GivenRole {
    Moderator,
    Member,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct RoomRole {
    pub(crate) room: RoomId,
    pub(crate) name: String,
    pub(crate) role: GivenRole,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct RoomMembers {
    pub(crate) room: RoomId,
    pub(crate) after: Option<hither_store::PersonId>,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct RoomSettings {
    pub(crate) room: RoomId,
    pub(crate) muted: Option<bool>,
    pub(crate) order: Option<i64>,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct RoomRead {
    pub(crate) room: RoomId,
    pub(crate) number: Number,
}

/// How a person may mean a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SentKind {
    #[default]
    Text,
    Action,
}

impl From<SentKind> for MessageKind {
    fn from(kind: SentKind) -> Self {
        match kind {
            SentKind::Text => Self::Text,
            SentKind::Action => Self::Action,
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageSend {
    pub(crate) room: RoomId,
    pub(crate) id: ClientId,
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) kind: SentKind,
    #[serde(default, deserialize_with = "answered")]
    pub(crate) reply_to: Option<Number>,
    #[serde(default)]
    pub(crate) attachments: Vec<AttachmentId>,
}

/// The number of a message that is answered: that of one.
pub(crate) fn answered<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Number>, D::Error> {
    let number: Option<Number> = Deserialize::deserialize(deserializer)?;
    if number == Some(Number::default()) {
        return Err(serde::de::Error::custom("the number of a message is at least 1"));
    }
    Ok(number)
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct MessageEdit {
    pub(crate) room: RoomId,
    pub(crate) number: Number,
    pub(crate) text: String,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct MessageAt {
    pub(crate) room: RoomId,
    pub(crate) number: Number,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct MessageReact {
    pub(crate) room: RoomId,
    pub(crate) number: Number,
    pub(crate) emoji: String,
    pub(crate) on: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct MessageHistory {
    pub(crate) room: RoomId,
    pub(crate) before: Option<Number>,
    pub(crate) after: Option<Number>,
    pub(crate) around: Option<Number>,
    pub(crate) date: Option<Timestamp>,
    pub(crate) limit: Option<u32>,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct MessageChanges {
    pub(crate) room: RoomId,
    pub(crate) since: u64,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct MessageSearch {
    pub(crate) room: RoomId,
    pub(crate) query: String,
    pub(crate) before: Option<Number>,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct PresenceList {
    pub(crate) room: RoomId,
    #[serde(default, deserialize_with = "person_key")]
    pub(crate) after: Option<PersonKey>,
}

fn person_key<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<PersonKey>, D::Error> {
    let key: Option<String> = Deserialize::deserialize(deserializer)?;
    let key = key.map(|key| PersonKey::new(ByteString::from(key))).transpose();
    key.map_err(serde::de::Error::custom)
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct WebhookDelete {
    pub(crate) room: RoomId,
    pub(crate) id: WebhookId,
}

/// A person's name in a request.
pub(crate) fn person_name(text: &str) -> Result<PersonName, Refusal> {
    PersonName::new(text).map_err(|error| Refusal::new(Code::InvalidName, capital(&error.to_string())))
}

/// A room's name in a request.
pub(crate) fn room_name(text: &str) -> Result<RoomName, Refusal> {
    RoomName::new(text).map_err(|error| Refusal::new(Code::InvalidName, capital(&error.to_string())))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(chars).collect();
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}

/// The text of a message, without the space around it.
pub(crate) fn text(typed: &str, max: usize) -> Result<String, Refusal> {
    match caption(typed, max)? {
        text if text.is_empty() => Err(Refusal::bad("The message is empty.")),
        text => Ok(text),
    }
}

/// The text of a message that has something else to show, and so may be without.
pub(crate) fn caption(typed: &str, max: usize) -> Result<String, Refusal> {
    let text = typed.trim();
    if text.len() > max {
        return Err(Refusal::new(
            Code::TooLarge,
            format!("The message has {} bytes; {max} are allowed.", text.len()),
        ));
    }
    if let Some(bad) = typed
        .chars()
        .find(|char| char.is_control() && !matches!(char, '\n' | '\t'))
    {
        return Err(Refusal::bad(format!(
            "A message must not contain the control character U+{:04X}.",
            u32::from(bad)
        )));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither::Args;
    use proptest::prelude::*;

    fn read(name: &str, args: &str) -> Result<Request, Refusal> {
        let mut event = Event::new(name.to_owned(), &()).unwrap();
        event.args = Args::from_json(args.to_owned(), Vec::new()).unwrap();
        Request::read(&event)
    }

    #[test]
    fn a_message_is_read() {
        let room = RoomId::random();
        let args = format!(r#"[{{"room":"{room}","id":"m-1","text":"hello","replyTo":3,"colour":"red"}},1]"#);
        assert_eq!(
            read("message.send", &args).unwrap(),
            Request::MessageSend(MessageSend {
                room,
                id: ClientId::new("m-1").unwrap(),
                text: "hello".into(),
                kind: SentKind::Text,
                reply_to: Some(Number::new(3)),
                attachments: Vec::new(),
            })
        );
    }

    #[test]
    fn what_is_malformed_is_told_what_goes_with_it() {
        for args in [
            "[]",
            "[null]",
            r#"["lobby"]"#,
            "[[]]",
            "[{}]",
            r#"[{"room":1}]"#,
            r#"[{"room":"lobby"}]"#,
        ] {
            let refusal = read("room.leave", args).unwrap_err();
            assert_eq!(refusal.code, Code::BadRequest, "{args}");
            assert!(
                refusal
                    .message
                    .starts_with(r#""room.leave" goes with {"room": "a room's id"}: "#),
                "{}",
                refusal.message
            );
        }
        let refusal = read("dance", "[]").unwrap_err();
        assert_eq!(refusal.message, r#"There is no request "dance" here."#);
    }

    #[test]
    fn nobody_sends_notices_or_bad_ids() {
        let room = RoomId::random();
        for args in [
            format!(r#"[{{"room":"{room}","id":"1","text":"x","kind":"notice"}}]"#),
            format!(r#"[{{"room":"{room}","id":"a b","text":"x"}}]"#),
            format!(r#"[{{"room":"{room}","id":"1","text":"x","replyTo":-1}}]"#),
            format!(r#"[{{"room":"{room}","id":"1","text":"x","attachments":["../x"]}}]"#),
            format!(r#"[{{"room":"{room}","id":"1","text":"x","replyTo":0}}]"#),
        ] {
            assert!(read("message.send", &args).is_err(), "{args}");
        }
    }

    #[test]
    fn texts_are_tidied_and_bounded() {
        assert_eq!(text(" \n a  b\n\nc \t", 100).unwrap(), "a  b\n\nc");
        assert_eq!(text(" \n\t ", 100).unwrap_err().message, "The message is empty.");
        assert!(text(" éé ", 4).is_ok());
        assert_eq!(
            text("ééa", 4).unwrap_err().message,
            "The message has 5 bytes; 4 are allowed."
        );
        for bad in ["a\0b", "a\r\nb", "a\u{85}", "\ra"] {
            assert_eq!(text(bad, 9).unwrap_err().code, Code::BadRequest, "{bad:?}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
            Just(RoomId::random().to_string().into()),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let key = prop::sample::select(vec!["room", "name", "id", "text", "number", "query", "x"]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::hash_map(key.prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_arguments_are_read_or_refused(
            name in prop::sample::select(NAMES), args in prop::collection::vec(json(), 0..3),
        ) {
            if let Err(refusal) = read(name, &serde_json::to_string(&args).unwrap()) {
                prop_assert!(refusal.message.ends_with('.'), "{}", refusal.message);
            }
        }
    }
}
