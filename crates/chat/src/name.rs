//! What names of people and of rooms have in common: they are read by people, so they must be seen for what they are.

use std::sync::Arc;

/// Why a text is no name; the sentence goes on after "a name" or "a room's name".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing in it can be seen.
    #[error("needs at least one visible character.")]
    Invisible,
    /// It has too many characters.
    #[error("may have {max} characters; this one has {chars}.")]
    TooLong {
        /// Characters (Unicode scalar values) in it, without the space around it.
        chars: usize,
        /// Characters that are allowed.
        max: usize,
    },
    /// It has a character that is not seen, or that changes how its surroundings look.
    #[error("must not contain the character U+{:04X}, which cannot be seen.", u32::from(*.0))]
    Hidden(char),
}

/// The name in a text, without the space around it.
pub(crate) fn tidy(text: &str, max: usize) -> Result<Arc<str>, NameError> {
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
fn hides(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn space_around_a_name_is_no_part_of_it() {
        assert_eq!(&*tidy(" \t Ana María \n", 9).unwrap(), "Ana María");
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(tidy("日本語", 3).is_ok());
        assert_eq!(tidy("日本語だ", 3), Err(NameError::TooLong { chars: 4, max: 3 }));
    }

    #[test]
    fn nothing_to_see_is_no_name() {
        for text in ["", " ", "\u{a0}\u{3000}", "\u{200d}", "\u{fe0f} \u{200c}"] {
            assert_eq!(tidy(text, 32), Err(NameError::Invisible), "{text:?}");
        }
    }

    #[test]
    fn what_hides_is_refused() {
        for hidden in [
            '\0', '\n', '\u{7f}', '\u{85}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}',
        ] {
            assert_eq!(
                tidy(&format!("Ana{hidden}Bo"), 32),
                Err(NameError::Hidden(hidden))
            );
        }
    }

    #[test]
    fn joined_emoji_and_joined_letters_are_names() {
        for text in ["👩‍🚀", "❤️", "می‌خواهم", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"] {
            assert!(tidy(text, 32).is_ok(), "{text}");
        }
    }

    #[test]
    fn says_what_would_be_right() {
        let problem = |text| tidy(text, 4).unwrap_err().to_string();
        assert_eq!(problem("Anabel"), "may have 4 characters; this one has 6.");
        assert_eq!(
            problem("A\u{7}a"),
            "must not contain the character U+0007, which cannot be seen."
        );
    }

    proptest! {
        #[test]
        fn a_tidy_name_stays_as_it_is(text in any::<String>(), max in 0_usize..40) {
            if let Ok(name) = tidy(&text, max) {
                prop_assert!((1..=max).contains(&name.chars().count()));
                prop_assert_eq!(tidy(&name, max), Ok(name));
            }
        }
    }
}
