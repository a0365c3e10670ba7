//! What clients ask for, read from their events and checked as far as that goes without knowing the client.

use hither::{Args, Event};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{message::Message, protocol::event, refusal::Refusal, room_name::RoomName};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Join(RoomName),
    Leave(RoomName),
    Say { room: RoomName, message: Message },
    ListRooms,
}

#[derive(Deserialize)]
struct RoomRequest {
    room: String,
}

#[derive(Deserialize)]
struct MessageRequest {
    room: String,
    message: String,
}

impl Request {
    /// Reads an event; a message in it may have `max_message_bytes`.
    ///
    /// Arguments after the first and unknown fields are let pass, so that newer clients can say more.
    pub(crate) fn read(event: &Event, max_message_bytes: usize) -> Result<Self, Refusal> {
        match event.name.as_str() {
            event::JOIN_ROOM => Ok(Self::Join(room(event::JOIN_ROOM, &event.args)?)),
            event::LEAVE_ROOM => Ok(Self::Leave(room(event::LEAVE_ROOM, &event.args)?)),
            event::CHAT_MESSAGE => {
                let said: MessageRequest = first(
                    event::CHAT_MESSAGE,
                    r#"{"room": "the room's name", "message": "what to say"}"#,
                    &event.args,
                )?;
                let room = RoomName::new(&said.room)?;
                Ok(Self::Say {
                    room,
                    message: Message::new(&said.message, max_message_bytes)?,
                })
            }
            event::LIST_ROOMS => Ok(Self::ListRooms),
            unknown => Err(Refusal::UnknownEvent(
                unknown.chars().take(RoomName::MAX_CHARS).collect(),
            )),
        }
    }
}

fn room(event: &'static str, args: &Args) -> Result<RoomName, Refusal> {
    let request: RoomRequest = first(event, r#"{"room": "the room's name"}"#, args)?;
    Ok(RoomName::new(&request.room)?)
}

fn first<T: DeserializeOwned>(
    event: &'static str,
    expected: &'static str,
    args: &Args,
) -> Result<T, Refusal> {
    args.parse_first()
        .map_err(|_| Refusal::Malformed { event, expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageKind;
    use proptest::prelude::*;

    const MAX: usize = 16;

    fn read(name: &str, args: &str) -> Result<Request, String> {
        let mut event = Event::new(name.to_owned(), &()).unwrap();
        event.args = Args::from_json(args.to_owned(), Vec::new()).unwrap();
        Request::read(&event, MAX).map_err(|refusal| refusal.to_string())
    }

    fn room(name: &str) -> RoomName {
        RoomName::new(name).unwrap()
    }

    #[test]
    fn requests() {
        assert_eq!(
            read("join room", r#"[{"room":" lobby "}]"#),
            Ok(Request::Join(room("lobby")))
        );
        assert_eq!(
            read("leave room", r#"[{"room":"lobby"}]"#),
            Ok(Request::Leave(room("lobby")))
        );
        assert_eq!(read("list rooms", "[{}]"), Ok(Request::ListRooms));
        assert_eq!(read("list rooms", "[]"), Ok(Request::ListRooms));
        let message = Message {
            kind: MessageKind::Action,
            text: "waves".into(),
        };
        assert_eq!(
            read("chat message", r#"[{"room":"lobby","message":"/me waves"}]"#),
            Ok(Request::Say {
                room: room("lobby"),
                message
            })
        );
    }

    #[test]
    fn newer_clients_may_say_more() {
        let request = read("join room", r#"[{"room":"lobby","colour":"red"},1]"#);
        assert_eq!(request, Ok(Request::Join(room("lobby"))));
    }

    #[test]
    fn malformed_requests_are_told_what_goes_with_them() {
        let expected = r#""join room" goes with {"room": "the room's name"}."#;
        for args in [
            "[]",
            "[null]",
            r#"["lobby"]"#,
            "[[]]",
            "[{}]",
            r#"[{"room":1}]"#,
            r#"[{"room":"\ud800"}]"#,
        ] {
            assert_eq!(read("join room", args), Err(expected.into()), "{args}");
        }
        let expected = r#""chat message" goes with {"room": "the room's name", "message": "what to say"}."#;
        for args in [
            "[]",
            r#"[{"room":"lobby"}]"#,
            r#"[{"room":"lobby","message":["hello"]}]"#,
        ] {
            assert_eq!(read("chat message", args), Err(expected.into()), "{args}");
        }
    }

    #[test]
    fn what_is_asked_is_checked() {
        let problem = |name, args| read(name, args).unwrap_err();
        assert_eq!(
            problem("join room", r#"[{"room":" "}]"#),
            "A room's name needs at least one visible character."
        );
        assert_eq!(
            problem("chat message", r#"[{"room":"a","message":" "}]"#),
            "The message is empty."
        );
        assert_eq!(
            problem("chat message", r#"[{"room":"a","message":"more than sixteen"}]"#),
            "The message has 17 bytes; 16 are allowed."
        );
        assert_eq!(problem("dance", "[]"), r#"There is no request "dance" here."#);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
            "(/me )?[ a-z]{0,20}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let key = prop_oneof![
                Just("room".to_owned()),
                Just("message".to_owned()),
                any::<String>()
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::hash_map(key, inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_arguments_are_read_or_refused(
            name in prop_oneof![
                Just("join room".to_owned()), Just("leave room".to_owned()), Just("chat message".to_owned()),
                Just("list rooms".to_owned()), "[^ ]+ .*",
            ],
            args in prop::collection::vec(json(), 0..3),
        ) {
            match read(&name, &serde_json::to_string(&args).unwrap()) {
                Ok(Request::Say { message, .. }) => prop_assert!((1..=MAX).contains(&message.text.len())),
                Ok(_) => {}
                Err(problem) => prop_assert!(problem.ends_with('.'), "{problem}"),
            }
        }
    }
}
