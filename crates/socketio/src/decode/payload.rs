//! The JSON at the end of a packet's text: `payload` is always a part of `text`, and what is kept of it a slice.

use std::fmt;

use bytestring::ByteString;
use serde::Deserializer;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::DecodeError;
use crate::args::Args;
use crate::connect_error::ConnectError;
use crate::event::{Event, EventName};
use crate::json::{Json, JsonError, check_depth, in_javascript, read_string, trim, trim_start};

/// Whether there is none, but space perhaps.
pub(super) fn is_absent(payload: &str) -> bool {
    trim(payload).is_empty()
}

/// No payload at all.
pub(super) fn nothing(payload: &str) -> Result<(), DecodeError> {
    if is_absent(payload) {
        Ok(())
    } else {
        Err(DecodeError::Payload { expected: "absent" })
    }
}

/// An object, or nothing.
pub(super) fn object(text: &ByteString, payload: &str) -> Result<Option<Json>, DecodeError> {
    if is_absent(payload) {
        return Ok(None);
    }
    let json = Json::new(text.slice_ref(payload))?;
    if json.is_object() {
        Ok(Some(json))
    } else {
        Err(DecodeError::Payload {
            expected: "an object",
        })
    }
}

/// The reason of a refusal.
pub(super) fn connect_error(text: &ByteString, payload: &str) -> Result<ConnectError, DecodeError> {
    let expected = DecodeError::Payload {
        expected: "an object with a message",
    };
    let json = object(text, payload)?.ok_or(expected.clone())?;
    ConnectError::decode(&json).map_err(|_| expected)
}

/// The arguments of an ack: an array. The reference takes nothing for an empty one.
pub(super) fn args(text: &ByteString, payload: &str) -> Result<Args, DecodeError> {
    const EXPECTED: &str = "an array";
    if is_absent(payload) {
        return Ok(Args::NONE);
    }
    first_element(payload, EXPECTED)?;
    Ok(Args::trusted(text.slice_ref(payload)))
}

/// An event: an array that begins with its name.
///
/// The arguments are copied, once, to get a bracket of their own.
pub(super) fn event(text: &ByteString, payload: &str) -> Result<Event, DecodeError> {
    const EXPECTED: &str = "an array with the event's name and arguments";
    let name = first_element(payload, EXPECTED)?.ok_or(DecodeError::Payload { expected: EXPECTED })?;
    let args = match after_first(payload, name) {
        None => Args::NONE,
        Some(rest) => Args::trusted(["[", rest].concat().into()),
    };
    Ok(Event {
        name: event_name(text, name)?,
        args,
    })
}

/// Checks that the payload is a JSON array, in one pass that builds no values, and gives its first element as written.
fn first_element<'a>(payload: &'a str, expected: &'static str) -> Result<Option<&'a str>, DecodeError> {
    let mut json = serde_json::Deserializer::from_str(payload);
    let first = json
        .deserialize_seq(FirstElement)
        .and_then(|first| json.end().map(|()| first));
    let first = first.map_err(|error| {
        if error.is_data() {
            DecodeError::Payload { expected }
        } else {
            DecodeError::Json(JsonError::syntax(error))
        }
    })?;
    check_depth(payload)?;
    Ok(first.map(RawValue::get))
}

struct FirstElement;

impl<'de> Visitor<'de> for FirstElement {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let first = elements.next_element()?;
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

/// What follows the first element of an array, up to and with its closing bracket; nothing if it is the only element.
fn after_first<'a>(array: &'a str, first: &str) -> Option<&'a str> {
    let elements = trim_start(trim(array).strip_prefix('[')?);
    trim_start(elements.strip_prefix(first)?).strip_prefix(',')
}

/// The reference takes numbers for names as well: `socket.emit(1)` is heard by `socket.on("1")`.
fn event_name(text: &ByteString, raw: &str) -> Result<EventName, DecodeError> {
    let name = match raw.as_bytes() {
        [b'"', .., b'"'] if !raw.contains('\\') => text.slice_ref(&raw[1..raw.len() - 1]),
        [b'"', ..] => read_string(raw)?.into(),
        [b'-' | b'0'..=b'9', ..] if is_plain_integer(raw) => text.slice_ref(raw),
        [b'-' | b'0'..=b'9', ..] => in_javascript(raw).ok_or(DecodeError::EventName)?.into(),
        _ => return Err(DecodeError::EventName),
    };
    Ok(EventName::new(name)?)
}

/// Whether JavaScript would write this number in the same way.
fn is_plain_integer(raw: &str) -> bool {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit()) && raw != "-0"
}
