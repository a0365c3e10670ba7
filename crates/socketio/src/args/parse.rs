//! Reading arguments: which types take all of them, and which the only one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::Error;
use serde_json::de::StrRead;

use crate::json::trim;

/// Reads all arguments of a JSON array.
pub(super) fn all<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, Error> {
    T::deserialize(Arguments { json })
}

/// Reads the first argument of a JSON array.
pub(super) fn first<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, Error> {
    serde_json::Deserializer::from_str(json).deserialize_seq(First(PhantomData))
}

/// How many arguments a JSON array holds.
pub(super) fn count(json: &str) -> usize {
    serde_json::from_str::<Vec<IgnoredAny>>(json).map_or(0, |elements| elements.len())
}

/// A JSON array that is read as what asks for it: all elements for who wants a sequence, the only one for anybody else.
struct Arguments<'de> {
    json: &'de str,
}

impl<'de> Arguments<'de> {
    fn all<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.json).deserialize_seq(Exactly(visitor))
    }

    fn none<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match count(self.json) {
            0 => visitor.visit_unit(),
            found => Err(Error::custom(format_args!(
                "expected no arguments, found {found}"
            ))),
        }
    }

    fn only<T>(
        self,
        read: impl FnOnce(&mut serde_json::Deserializer<StrRead<'de>>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.is_empty() {
            return Err(Error::custom("expected one argument, found none"));
        }
        let mut elements = serde_json::Deserializer::from_str(self.elements());
        let value = read(&mut elements)?;
        match elements.end() {
            Ok(()) => Ok(value),
            Err(_) => Err(Error::custom(format_args!(
                "expected one argument, found {}",
                count(self.json)
            ))),
        }
    }

    fn elements(&self) -> &'de str {
        trim(&self.json[1..self.json.len() - 1])
    }

    fn is_empty(&self) -> bool {
        self.elements().is_empty()
    }
}

macro_rules! only_argument {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Error> {
            self.only(|argument| argument.$method($($name,)* visitor))
        })*
    };
}

impl<'de> Deserializer<'de> for Arguments<'de> {
    type Error = Error;

    only_argument! {
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_identifier();
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.all(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.all(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.all(visitor)
    }

    /// Who takes anything, such as a `Value`, gets the array.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.all(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.all(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.none(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.none(visitor)
    }

    /// A newtype is what it wraps, as in JSON.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// An argument that is left out is `None`, as `null` is.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_empty() {
            return visitor.visit_none();
        }
        self.only(|argument| argument.deserialize_option(visitor))
    }
}

/// Lets the visitor within take elements, and is content only if it took them all.
struct Exactly<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Exactly<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0.expecting(formatter)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        let mut elements = Counted { elements, taken: 0 };
        let value = self.0.visit_seq(&mut elements)?;
        let taken = elements.taken;
        match elements.drain()? {
            0 => Ok(value),
            more => Err(A::Error::custom(format_args!(
                "expected {taken} arguments, found {}",
                taken + more
            ))),
        }
    }
}

/// Takes the first element and leaves the others unread.
struct First<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for First<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an array of arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<T, A::Error> {
        let mut elements = Counted { elements, taken: 0 };
        let first = elements.next_element()?;
        elements.drain()?;
        first.ok_or_else(|| A::Error::custom("expected an argument, found none"))
    }
}

/// Elements, and how many were taken.
struct Counted<A> {
    elements: A,
    taken: usize,
}

impl<'de, A: SeqAccess<'de>> Counted<A> {
    /// How many elements are left. None are, afterwards.
    fn drain(&mut self) -> Result<usize, A::Error> {
        let taken = self.taken;
        while self.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.taken - taken)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Counted<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let element = self.elements.next_element_seed(seed)?;
        self.taken += usize::from(element.is_some());
        Ok(element)
    }
}
