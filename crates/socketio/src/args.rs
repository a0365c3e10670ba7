//! The arguments of events and acks.

mod encode;
mod parse;

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use crate::binary;
use crate::json::{
    Json, JsonError, JsonText, PlaceholderError, Placeholders, check_depth, push_string, trim,
};

/// Arguments of an event or ack: a JSON array as text, and the binary attachments that its placeholders name.
///
/// A clone shares text and attachments, so what came in can go out again without a look inside.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Args {
    /// A JSON array without space around it.
    json: JsonText,
    /// What its placeholders name.
    attachments: Vec<Bytes>,
}

impl Args {
    /// No arguments: `[]`.
    pub const NONE: Args = Args {
        json: JsonText::from_static("[]"),
        attachments: Vec::new(),
    };

    /// The arguments that a value stands for: a sequence (tuple, `Vec`, slice) is all of them, `()` is none, and anything
    /// else is the only one. [`Binary`](crate::Binary) values anywhere in it become attachments.
    ///
    /// To send one argument that is itself a sequence, wrap it: `&(list,)`.
    pub fn encode<T: Serialize + ?Sized>(args: &T) -> Result<Args, ArgsError> {
        // Collected apart and dropped: a `Binary` that the shape comes from is serialised once more for its JSON.
        let (shape, _) = binary::collect(|| encode::shape(args));
        let (json, attachments) = binary::collect(|| serde_json::to_string(args));
        let json = json.map_err(|error| ArgsError::Encode(error.to_string()))?;
        let json = shape.array(json);
        check_depth(&json)?;
        if !attachments.is_empty() {
            // A value from elsewhere that looks like a placeholder would make the receivers drop their connection.
            Placeholders::read(&json, attachments.len())?.each_once()?;
        }
        Ok(Args {
            json: JsonText::new(json.into()),
            attachments,
        })
    }

    /// Checks arguments that are JSON already.
    pub fn from_json(json: impl Into<ByteString>, attachments: Vec<Bytes>) -> Result<Args, ArgsError> {
        let json = trimmed(Json::new(json)?.into());
        if !json.starts_with('[') {
            return Err(ArgsError::NotAnArray);
        }
        if !attachments.is_empty() {
            Placeholders::read(&json, attachments.len())?;
        }
        Ok(Args {
            json: JsonText::new(json),
            attachments,
        })
    }

    /// What answers an event that cannot be served, such as one whose arguments cannot be read: `{"error": "…"}`. So who waits
    /// for an answer gets one, and learns what was wrong.
    pub fn rejection(error: &impl fmt::Display) -> Args {
        let mut json = String::from("[{\"error\":");
        push_string(&mut json, &error.to_string());
        json.push_str("}]");
        Args::trusted(json.into())
    }

    /// The arguments in a checked JSON array.
    pub(crate) fn trusted(json: ByteString) -> Args {
        Args {
            json: JsonText::new(trimmed(json)),
            attachments: Vec::new(),
        }
    }

    /// These arguments with the attachments that their placeholders were checked against.
    pub(crate) fn attach(&mut self, attachments: Vec<Bytes>) {
        self.attachments = attachments;
    }

    /// Reads all arguments: the reverse of [`Args::encode`].
    ///
    /// A tuple or sequence takes them all, `()` wants none, and any other type wants exactly one argument and takes that.
    /// Half a surrogate pair in their text, which Rust does not have, is read as U+FFFD.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ArgsError> {
        binary::provide(&self.attachments, || parse::all(self.json.readable())).map_err(ArgsError::parse)
    }

    /// Reads the first argument and does not look at the others.
    pub fn parse_first<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ArgsError> {
        binary::provide(&self.attachments, || parse::first(self.json.readable())).map_err(ArgsError::parse)
    }

    /// How many arguments there are. Counts them in the text.
    pub fn len(&self) -> usize {
        parse::count(self.json())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.elements().is_empty()
    }

    /// The JSON array.
    pub fn json(&self) -> &str {
        self.json.as_str()
    }

    /// The attachments, in the order of the numbers by which placeholders name them.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// These arguments and `last` behind them.
    pub(crate) fn with_string(&self, last: &str) -> Args {
        let elements = self.elements();
        let mut json = String::with_capacity(elements.len() + last.len() + 5);
        json.push('[');
        if !elements.is_empty() {
            json.push_str(elements);
            json.push(',');
        }
        push_string(&mut json, last);
        json.push(']');
        Args {
            json: JsonText::new(json.into()),
            attachments: self.attachments.clone(),
        }
    }

    /// What stands between the brackets, without space around it.
    pub(crate) fn elements(&self) -> &str {
        let json = self.json();
        trim(&json[1..json.len() - 1])
    }
}

/// The text without the space around it. Most has none, and then it is not even touched.
fn trimmed(json: ByteString) -> ByteString {
    match trim(&json) {
        all if all.len() == json.len() => json,
        part => json.slice_ref(part),
    }
}

/// Shows sizes only: arguments are people's words and do not belong in logs.
impl fmt::Debug for Args {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Args({} bytes, {} attachments)",
            self.json().len(),
            self.attachments.len()
        )
    }
}

impl Default for Args {
    fn default() -> Self {
        Self::NONE
    }
}

/// How [`Args`] are serialised.
#[derive(Serialize, Deserialize)]
struct Parts {
    json: ByteString,
    attachments: Vec<Bytes>,
}

impl TryFrom<Parts> for Args {
    type Error = ArgsError;

    fn try_from(parts: Parts) -> Result<Self, Self::Error> {
        Args::from_json(parts.json, parts.attachments)
    }
}

impl From<Args> for Parts {
    fn from(args: Args) -> Self {
        Parts {
            json: args.json.into_raw(),
            attachments: args.attachments,
        }
    }
}

/// Why a value cannot be sent as arguments, or arguments are not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    /// The value cannot be written as JSON.
    #[error("not to be sent as arguments: {0}")]
    Encode(String),
    /// The arguments have another shape than was asked for; the text says which was expected.
    #[error("unexpected arguments: {0}")]
    Parse(String),
    /// The text is not JSON that we take.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The JSON is no array.
    #[error("arguments are a JSON array")]
    NotAnArray,
    /// Attachments and placeholders do not belong together. When encoding: some value looks like a placeholder.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderError),
}

impl ArgsError {
    fn parse(error: serde_json::Error) -> ArgsError {
        ArgsError::Parse(error.to_string())
    }
}
