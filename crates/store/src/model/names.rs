//! Names of people and of rooms: they are read by people, so each must be seen for what it is, and no two may look alike.

use std::{fmt, sync::Arc};

use caseless::default_case_fold_str;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

/// Why a text is no name; the sentence goes on after "a name" or "a room's name".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing in it can be seen.
    #[error("needs at least one visible character")]
    Invisible,
    /// It has too many characters.
    #[error("may have {max} characters; this one has {chars}")]
    TooLong {
        /// Characters (Unicode scalar values) in it, without the space around it.
        chars: usize,
        /// Characters that are allowed.
        max: usize,
    },
    /// It has a character that is not seen, or that changes how its surroundings look.
    #[error("must not contain the character U+{:04X}, which cannot be seen", u32::from(*.0))]
    Hidden(char),
}

/// By what names are compared. Two names are alike when one of the keys is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameKeys {
    /// NFKC, and case folded: by this a name is looked up, searched and sorted.
    pub(crate) folded: String,
    /// How the folded name looks, by the skeleton of UTS #39: `b0b` and `bob` are alike.
    pub(crate) look: String,
    /// How the name looks as it is written: `lris` and `Iris` are alike.
    pub(crate) look_as_written: String,
}

/// Compatibility caseless, as D146 of the Unicode standard, section 3.13, has it; then composed.
fn fold(text: &str) -> String {
    let once = default_case_fold_str(&text.nfd().collect::<String>());
    let twice = default_case_fold_str(&once.nfkd().collect::<String>());
    twice.nfkc().collect()
}

pub(crate) fn folded(text: &str) -> String {
    // Some marks are spaces with something on them when they are folded.
    let folded = fold(text);
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn keys(name: &str) -> NameKeys {
    let folded = folded(name);
    let look = fold(&skeleton(&folded).collect::<String>());
    let normal: String = name.nfkc().collect();
    let look_as_written = fold(&skeleton(&normal).collect::<String>());
    NameKeys {
        folded,
        look,
        look_as_written,
    }
}

fn tidy(text: &str, max: usize) -> Result<Arc<str>, NameError> {
    let name = text.trim();
    let chars = name.chars().count();
    if chars > max {
        return Err(NameError::TooLong { chars, max });
    }
    if let Some(hidden) = name.chars().find(|char| hides(*char)) {
        return Err(NameError::Hidden(hidden));
    }
    if name.chars().all(|char| char.is_whitespace() || joins(char)) {
        return Err(NameError::Invisible);
    }
    Ok(name.into())
}

/// Control characters, blanks that are no space, and marks that turn the direction of the text around them: with these one
/// name could be made to look like another.
pub(crate) fn hides(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

/// Joiners, variation selectors and tags: unseen, but Persian words and emoji are made with them.
fn joins(char: char) -> bool {
    matches!(char, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e01ef}')
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $error:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        ///
        /// All of its characters can be seen, and there is no space around them. It is kept as it is written.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "Arc<str>")]
        pub struct $name(Arc<str>);

        #[doc = concat!("A text is not ", $what, ".")]
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        #[error("{} {}", $what, .0)]
        pub struct $error(#[from] NameError);

        impl $name {
            /// Characters (Unicode scalar values) that it may have.
            pub const MAX_CHARS: usize = $max;

            /// The name in a text, without the space around it.
            ///
            /// # Errors
            /// When the text is no name, and why.
            pub fn new(text: &str) -> Result<Self, $error> {
                Ok(Self(tidy(text, Self::MAX_CHARS)?))
            }

            /// A name that was checked when it was stored.
            pub(crate) fn stored(text: String) -> Self {
                Self(text.into())
            }

            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub(crate) fn keys(&self) -> NameKeys {
                keys(&self.0)
            }

            /// Without regard to case: names of which this is the same are the same name.
            pub fn folded(&self) -> String {
                folded(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                Self::new(&text)
            }
        }

        impl From<$name> for Arc<str> {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a person: 1 to 32 characters, unique among members and guests without regard to case and look.
    PersonName,
    PersonNameError,
    "a name",
    32
);
name!(
    /// The name of a room: 1 to 64 characters; among public rooms unique without regard to case and look.
    RoomName,
    RoomNameError,
    "a room's name",
    64
);

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(a: &str, b: &str) -> bool {
        let (a, b) = (keys(a), keys(b));
        a.folded == b.folded || a.look == b.look || a.look_as_written == b.look_as_written
    }

    #[test]
    fn names_that_differ_in_case_width_or_look_are_alike() {
        for (a, b) in [
            ("Ana", "aNA"),
            ("Straße", "STRASSE"),
            ("Ａｎａ", "Ana"),
            ("Ana", "Аnа"),
            ("bob", "b0b"),
            ("Iris", "lris"),
            ("Ana  Bo", "ana bo"),
            ("Åsa", "A\u{30a}sa"),
        ] {
            assert!(alike(a, b), "{a} and {b}: {:?} {:?}", keys(a), keys(b));
        }
    }

    #[test]
    fn other_names_are_not_alike() {
        for (a, b) in [
            ("Ana", "Anna"),
            ("Åsa", "Asa"),
            ("iris", "lris2"),
            ("日本", "日木"),
            ("👍", "👎"),
        ] {
            assert!(!alike(a, b), "{a} and {b}");
        }
    }

    #[test]
    fn names_are_seen() {
        for text in ["", " ", "\u{a0}\u{3000}", "\u{200d}", "\u{fe0f} \u{200c}"] {
            assert_eq!(
                PersonName::new(text),
                Err(NameError::Invisible.into()),
                "{text:?}"
            );
        }
        for hidden in [
            '\0', '\n', '\u{7f}', '\u{85}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}',
        ] {
            let error = PersonName::new(&format!("Ana{hidden}Bo")).unwrap_err();
            assert_eq!(error, NameError::Hidden(hidden).into());
        }
        for text in ["👩‍🚀", "❤️", "می‌خواهم"] {
            assert_eq!(PersonName::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn length_counts_characters() {
        assert!(PersonName::new(&"é".repeat(32)).is_ok());
        let error = PersonName::new(&"é".repeat(33)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a name may have 32 characters; this one has 33"
        );
    }

    proptest::proptest! {
        #[test]
        fn folding_again_changes_nothing(text in ".{0,40}") {
            let once = folded(&text);
            proptest::prop_assert_eq!(folded(&once), once);
        }
    }
}
