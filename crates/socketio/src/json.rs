//! JSON kept as text: checked once when it comes in, read into values only by who wants them.

mod number;
mod placeholders;
mod surrogates;
mod text;
mod tokens;

use std::fmt;

use bytestring::ByteString;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

pub(crate) use number::in_javascript;
pub use placeholders::PlaceholderError;
pub(crate) use placeholders::{MARK, NUMBER, Placeholders};
pub(crate) use text::JsonText;

/// How deep JSON may nest, received or sent. Far deeper, clients that walk it recursively could be made to overflow their stack.
///
/// `serde_json` reads no value that nests deeper than 128: a handler finds that it cannot read such arguments, and what only
/// passes them on is not concerned.
pub const MAX_DEPTH: usize = 2_000;

/// The space that JSON allows around values.
const WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// One JSON value, as text: a client's auth payload, or what goes with a refusal.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "ByteString", into = "ByteString")]
pub struct Json(JsonText);

impl Json {
    /// The JSON of a value. [`Binary`](crate::Binary) has no place here: only events and acks carry attachments.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Json, JsonError> {
        let text = serde_json::to_string(value).map_err(|error| JsonError::Value(error.to_string()))?;
        check_depth(&text)?;
        Ok(Json(JsonText::new(text.into())))
    }

    /// Checks a text.
    pub fn new(text: impl Into<ByteString>) -> Result<Json, JsonError> {
        let text = text.into();
        serde_json::from_str::<IgnoredAny>(&text).map_err(JsonError::syntax)?;
        check_depth(&text)?;
        Ok(Json(JsonText::new(text)))
    }

    /// Reads the value. Half a surrogate pair in its text, which Rust does not have, is read as U+FFFD.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, JsonError> {
        serde_json::from_str(self.0.readable()).map_err(|error| JsonError::Value(error.to_string()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the value is an object.
    pub(crate) fn is_object(&self) -> bool {
        trim(self.as_str()).starts_with('{')
    }
}

/// Shows the size only: auth payloads hold secrets.
impl fmt::Debug for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Json({} bytes)", self.as_str().len())
    }
}

impl TryFrom<ByteString> for Json {
    type Error = JsonError;

    fn try_from(text: ByteString) -> Result<Self, Self::Error> {
        Json::new(text)
    }
}

impl From<Json> for ByteString {
    fn from(json: Json) -> Self {
        json.0.into_raw()
    }
}

/// Why a text is no JSON that we take, or its value not the one that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum JsonError {
    /// It breaks JSON's grammar.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// It nests deeper than [`MAX_DEPTH`].
    #[error("JSON nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The value cannot be written as JSON, or it has another shape than was asked for.
    #[error("{0}")]
    Value(String),
}

impl JsonError {
    pub(crate) fn syntax(error: serde_json::Error) -> JsonError {
        JsonError::Syntax(error.to_string())
    }
}

/// The text of a JSON string, in which half a surrogate pair is read as U+FFFD.
pub(crate) fn read_string(raw: &str) -> Result<String, JsonError> {
    let whole = surrogates::replaced(raw);
    serde_json::from_str(whole.as_deref().unwrap_or(raw)).map_err(JsonError::syntax)
}

/// `text` without the space around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(WHITESPACE)
}

/// `text` without the space before it.
pub(crate) fn trim_start(text: &str) -> &str {
    text.trim_start_matches(WHITESPACE)
}

/// Checks the nesting of valid JSON.
pub(crate) fn check_depth(json: &str) -> Result<(), JsonError> {
    // Nothing nests deeper than it has brackets, and counting those is far cheaper than to follow them.
    let brackets = json.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if brackets > MAX_DEPTH && depth(json) > MAX_DEPTH {
        return Err(JsonError::TooDeep);
    }
    Ok(())
}

/// How deep objects and arrays nest in valid JSON: 0 for a scalar, 1 for `[]`.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Goes on behind the quote that ends the string in which `bytes` stand.
fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn push_string(json: &mut String, text: &str) {
    json.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        // What is escaped is ASCII, so both cuts fall between characters.
        json.push_str(&text[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => json.push_str("\\\""),
            b'\\' => json.push_str("\\\\"),
            control => json.push_str(&format!("\\u{control:04x}")),
        }
    }
    json.push_str(&text[plain..]);
    json.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nested(levels: usize) -> String {
        "[".repeat(levels) + &"]".repeat(levels)
    }

    #[test]
    fn nests_to_a_limit() {
        assert!(Json::new(nested(MAX_DEPTH)).is_ok());
        assert_eq!(Json::new(nested(MAX_DEPTH + 1)), Err(JsonError::TooDeep));
        assert_eq!(Json::new(nested(500_000)), Err(JsonError::TooDeep));
    }

    #[test]
    fn brackets_that_do_not_nest_are_not_deep() {
        assert!(Json::new(format!("[{}[]]", "[],".repeat(MAX_DEPTH * 2))).is_ok());
        assert!(Json::new(format!("[\"{}\"]", "[\\\"".repeat(MAX_DEPTH * 2))).is_ok());
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        assert_eq!(depth(r#"["[[[", {"{{": 1}]"#), 2);
        assert_eq!(depth(r#""\"[""#), 0);
        assert_eq!(depth(r#"["\\",[["\"]]"]]]"#), 3);
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in ["", "{", "[1,]", "{\"a\":1}x", "nul", "'a'"] {
            assert!(matches!(Json::new(text), Err(JsonError::Syntax(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn strings_are_escaped_as_json_wants(text in any::<String>()) {
            let mut json = String::new();
            push_string(&mut json, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
