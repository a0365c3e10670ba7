//! A valid JSON text, in two forms: as it came, and to be read.

use std::sync::Arc;

use bytestring::ByteString;

use super::surrogates;

/// A valid JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct JsonText {
    /// As it came, and as it goes on.
    raw: ByteString,
    /// The same without halves of characters, which Rust's text cannot hold; none if there are none, as nearly always.
    whole: Option<Arc<str>>,
}

impl JsonText {
    /// Takes a text that is known to be JSON.
    pub(crate) fn new(raw: ByteString) -> JsonText {
        let whole = surrogates::replaced(&raw).map(Arc::from);
        JsonText { raw, whole }
    }

    /// A text without escapes.
    pub(crate) const fn from_static(raw: &'static str) -> JsonText {
        JsonText {
            raw: ByteString::from_static(raw),
            whole: None,
        }
    }

    /// The text as it came.
    pub(crate) fn as_str(&self) -> &str {
        &self.raw
    }

    /// The text to read values from.
    pub(crate) fn readable(&self) -> &str {
        self.whole.as_deref().unwrap_or(&self.raw)
    }

    pub(crate) fn into_raw(self) -> ByteString {
        self.raw
    }
}
