//! How many arguments a value stands for.

use std::fmt;

use serde::ser::{Impossible, Serialize, Serializer};

/// What a value is, seen as arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A unit: no argument.
    Nothing,
    /// Neither a unit nor a sequence: the only argument.
    One,
    /// A sequence: all arguments.
    All,
}

impl Shape {
    /// The array of arguments, from the JSON of the value.
    pub(super) fn array(self, json: String) -> String {
        match self {
            Shape::Nothing => String::from("[]"),
            Shape::One => format!("[{json}]"),
            Shape::All => json,
        }
    }
}

/// The shape of a value. Looks no further than the value's first word to a serialiser.
pub(super) fn shape<T: Serialize + ?Sized>(value: &T) -> Shape {
    match value.serialize(Probe) {
        Ok(never) => match never {},
        Err(Answer(shape)) => shape,
    }
}

/// A serialiser that serialises nothing: whatever a value begins to write is already the answer.
struct Probe;

/// The shape. An error as far as serde knows, for there is nothing to go on with.
#[derive(Debug)]
struct Answer(Shape);

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

impl std::error::Error for Answer {}

impl serde::ser::Error for Answer {
    /// The value cannot be serialised. Whoever serialises it in earnest will be told.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Answer(Shape::One)
    }
}

type Never = std::convert::Infallible;

macro_rules! answer {
    ($($method:ident($($argument:ty),*) -> $output:ty = $shape:ident;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$output, Answer> {
            Err(Answer(Shape::$shape))
        })*
    };
}

impl Serializer for Probe {
    type Ok = Never;
    type Error = Answer;
    type SerializeSeq = Impossible<Never, Answer>;
    type SerializeTuple = Impossible<Never, Answer>;
    type SerializeTupleStruct = Impossible<Never, Answer>;
    type SerializeTupleVariant = Impossible<Never, Answer>;
    type SerializeMap = Impossible<Never, Answer>;
    type SerializeStruct = Impossible<Never, Answer>;
    type SerializeStructVariant = Impossible<Never, Answer>;

    answer! {
        serialize_unit() -> Never = Nothing;
        serialize_unit_struct(&'static str) -> Never = Nothing;

        serialize_seq(Option<usize>) -> Self::SerializeSeq = All;
        serialize_tuple(usize) -> Self::SerializeTuple = All;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct = All;

        serialize_bool(bool) -> Never = One;
        serialize_i8(i8) -> Never = One;
        serialize_i16(i16) -> Never = One;
        serialize_i32(i32) -> Never = One;
        serialize_i64(i64) -> Never = One;
        serialize_u8(u8) -> Never = One;
        serialize_u16(u16) -> Never = One;
        serialize_u32(u32) -> Never = One;
        serialize_u64(u64) -> Never = One;
        serialize_f32(f32) -> Never = One;
        serialize_f64(f64) -> Never = One;
        serialize_char(char) -> Never = One;
        serialize_str(&str) -> Never = One;
        serialize_bytes(&[u8]) -> Never = One;
        serialize_none() -> Never = One;
        serialize_unit_variant(&'static str, u32, &'static str) -> Never = One;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant = One;
        serialize_map(Option<usize>) -> Self::SerializeMap = One;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct = One;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant = One;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Never, Answer> {
        Err(Answer(Shape::One))
    }

    /// A newtype is what it wraps, as in JSON.
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Never, Answer> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Never, Answer> {
        Err(Answer(Shape::One))
    }
}
