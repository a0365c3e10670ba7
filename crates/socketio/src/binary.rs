//! Bytes among the arguments of an event or ack.

use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::{MARK, NUMBER};

/// Bytes in an argument: a `Buffer` or `ArrayBuffer` to the client.
///
/// They travel beside the JSON as an attachment, and a placeholder stands for them in it. So this serialises only inside
/// [`Args::encode`](crate::Args::encode) and deserialises only inside [`Args::parse`](crate::Args::parse); anywhere else it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Binary(pub Bytes);

impl<T: Into<Bytes>> From<T> for Binary {
    fn from(bytes: T) -> Self {
        Binary(bytes.into())
    }
}

thread_local! {
    /// The attachments of the arguments that this thread encodes or parses at the moment: serde passes nothing along by
    /// which a value could reach them.
    static ATTACHMENTS: RefCell<Option<Vec<Bytes>>> = const { RefCell::new(None) };
}

/// Runs `encode` and gives back the attachments that [`Binary`] values left while it ran.
pub(crate) fn collect<T>(encode: impl FnOnce() -> T) -> (T, Vec<Bytes>) {
    let scope = Scope::enter(Vec::new());
    let result = encode();
    (result, scope.leave())
}

/// Runs `parse`, in which [`Binary`] values find these attachments.
pub(crate) fn provide<T>(attachments: &[Bytes], parse: impl FnOnce() -> T) -> T {
    let _scope = Scope::enter(attachments.to_vec());
    parse()
}

/// While it lives its attachments are the thread's; then those of the scope around it are again, also after a panic.
struct Scope {
    outer: Option<Vec<Bytes>>,
}

impl Scope {
    fn enter(attachments: Vec<Bytes>) -> Scope {
        Scope {
            outer: ATTACHMENTS.replace(Some(attachments)),
        }
    }

    fn leave(self) -> Vec<Bytes> {
        ATTACHMENTS.take().unwrap_or_default()
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        ATTACHMENTS.set(self.outer.take());
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = ATTACHMENTS.with_borrow_mut(|attachments| {
            let attachments = attachments.as_mut()?;
            attachments.push(self.0.clone());
            Some(attachments.len() - 1)
        });
        let number = number
            .ok_or_else(|| S::Error::custom("`Binary` serialises only as an argument of an event or ack"))?;
        let mut placeholder = serializer.serialize_map(Some(2))?;
        placeholder.serialize_entry(MARK, &true)?;
        placeholder.serialize_entry(NUMBER, &number)?;
        placeholder.end()
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PlaceholderVisitor)
    }
}

struct PlaceholderVisitor;

impl<'de> Visitor<'de> for PlaceholderVisitor {
    type Value = Binary;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("binary data")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Binary, A::Error> {
        let mut marked = false;
        let mut number = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                MARK => marked = map.next_value()?,
                NUMBER => number = Some(map.next_value::<usize>()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let attachment = number.filter(|_| marked).and_then(|number| {
            ATTACHMENTS.with_borrow(|attachments| attachments.as_ref()?.get(number).cloned())
        });
        attachment
            .map(Binary)
            .ok_or_else(|| A::Error::custom("expected binary data, found an object without an attachment"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_no_place_outside_arguments() {
        let error = serde_json::to_string(&Binary::from("abc")).unwrap_err();
        assert!(error.to_string().contains("only as an argument"), "{error}");
        assert!(serde_json::from_str::<Binary>(r#"{"_placeholder":true,"num":0}"#).is_err());
    }

    #[test]
    fn the_outer_scope_comes_back() {
        let (_, outer) = collect(|| {
            serde_json::to_string(&Binary::from("outer")).unwrap();
            let (_, inner) = collect(|| serde_json::to_string(&Binary::from("inner")).unwrap());
            assert_eq!(inner, ["inner"]);
            provide(&inner, || ());
        });
        assert_eq!(outer, ["outer"]);
        assert!(serde_json::to_string(&Binary::default()).is_err());
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let panicked = std::panic::catch_unwind(|| collect(|| panic!("while encoding")));
        assert!(panicked.is_err());
        assert!(serde_json::to_string(&Binary::default()).is_err());
    }
}
