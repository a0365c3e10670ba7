//! The placeholders that stand for binary attachments: `{"_placeholder":true,"num":0}`.

use super::tokens::{Token, Tokens};

/// The key that makes an object a placeholder, if its value is `true`.
pub(crate) const MARK: &str = "_placeholder";
/// The key of the attachment's index.
pub(crate) const NUMBER: &str = "num";

/// The attachments that the placeholders in valid JSON name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placeholders {
    /// How often each attachment is named.
    named: Vec<usize>,
}

impl Placeholders {
    /// Those in a JSON that goes with so many attachments, each of which they may name several times, or never, as with the
    /// reference. A decoded packet's placeholders can be trusted from then on.
    pub(crate) fn read(json: &str, attachments: usize) -> Result<Placeholders, PlaceholderError> {
        let mut named = vec![0; attachments];
        let mut objects: Vec<Candidate> = Vec::new();
        let mut member = Member::Other;
        for token in Tokens::of(json) {
            match token {
                Token::Key(key) => member = Member::of(key),
                Token::Scalar(value) => set(&mut objects, member.take(), Some(value)),
                Token::Open => {
                    set(&mut objects, member.take(), None);
                    objects.push(Candidate::default());
                }
                Token::Close => {
                    if let Some(Candidate { marked: true, number }) = objects.pop() {
                        name(&mut named, number)?;
                    }
                }
            }
        }
        Ok(Placeholders { named })
    }

    /// Checks that each attachment is named once: what is encoded here names those of its own, and what names them besides is
    /// a value from elsewhere that looks like a placeholder.
    pub(crate) fn each_once(&self) -> Result<(), PlaceholderError> {
        match self.named.iter().position(|named| *named != 1) {
            None => Ok(()),
            Some(index) if self.named[index] == 0 => Err(PlaceholderError::Unused { index }),
            Some(index) => Err(PlaceholderError::Reused { index }),
        }
    }
}

/// What is known so far of an object, or of an array, which never gets marked.
#[derive(Default)]
struct Candidate<'a> {
    marked: bool,
    number: Option<&'a str>,
}

/// The member of an object whose value comes next.
#[derive(Clone, Copy)]
enum Member {
    Mark,
    Number,
    Other,
}

impl Member {
    fn of(key: &str) -> Member {
        // A key may be spelled with escapes: who reads it unescapes it, so we must.
        let unescaped = key
            .contains('\\')
            .then(|| serde_json::from_str::<String>(key).unwrap_or_default());
        match unescaped.as_deref().unwrap_or(key.trim_matches('"')) {
            MARK => Member::Mark,
            NUMBER => Member::Number,
            _ => Member::Other,
        }
    }

    fn take(&mut self) -> Member {
        std::mem::replace(self, Member::Other)
    }
}

/// Notes a member's value, `None` for one that is not a scalar. Of members of the same name the last counts, as for `JSON.parse`.
fn set<'a>(objects: &mut [Candidate<'a>], member: Member, value: Option<&'a str>) {
    let Some(object) = objects.last_mut() else { return };
    match member {
        Member::Mark => object.marked = value == Some("true"),
        Member::Number => object.number = value,
        Member::Other => {}
    }
}

fn name(named: &mut [usize], number: Option<&str>) -> Result<(), PlaceholderError> {
    let index: usize = number
        .and_then(|number| number.parse().ok())
        .ok_or(PlaceholderError::NotAnIndex)?;
    let attachments = named.len();
    let named = named
        .get_mut(index)
        .ok_or(PlaceholderError::OutOfRange { index, attachments })?;
    *named += 1;
    Ok(())
}

/// Why placeholders and attachments do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// A placeholder has no `num`, or one that is not a whole number.
    #[error("a placeholder's \"num\" must be the index of an attachment")]
    NotAnIndex,
    /// A placeholder names an attachment that was not announced.
    #[error("a placeholder names attachment {index} of {attachments}")]
    OutOfRange {
        /// What it names.
        index: usize,
        /// How many there are.
        attachments: usize,
    },
    /// Two placeholders name the same attachment.
    #[error("two placeholders name attachment {index}")]
    Reused {
        /// What they name.
        index: usize,
    },
    /// No placeholder names this attachment.
    #[error("no placeholder names attachment {index}")]
    Unused {
        /// The one without a placeholder.
        index: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_placeholders(json: &str, attachments: usize) -> Result<(), PlaceholderError> {
        Placeholders::read(json, attachments)?.each_once()
    }

    /// The reference delivers both.
    #[test]
    fn what_comes_in_may_name_an_attachment_twice_or_never() {
        for json in [
            r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
            r#"[{"_placeholder":true,"num":1}]"#,
            "[]",
        ] {
            assert!(Placeholders::read(json, 2).is_ok(), "{json}");
        }
    }

    #[test]
    fn each_attachment_is_named_once_anywhere() {
        let json = r#"[{"num":1,"_placeholder":true},{"deep":[{"_placeholder":true,"num":0,"more":"x"}]}]"#;
        assert_eq!(check_placeholders(json, 2), Ok(()));
    }

    #[test]
    fn look_alikes_are_plain_data() {
        for json in [
            "[]",
            r#"["_placeholder","num"]"#,
            r#"[{"_placeholder":"true","num":7}]"#,
            r#"[{"_placeholder":false,"num":7}]"#,
            r#"[{"_placeholder":true,"_placeholder":0,"num":7}]"#,
            r#"[{"_placeholder":{"true":true},"num":7}]"#,
            r#"[{"_placeholder":true,"_placeholder":[],"num":7}]"#,
            r#"[{"_placeholder ":true,"num":7}]"#,
        ] {
            assert_eq!(check_placeholders(json, 0), Ok(()), "{json}");
        }
    }

    #[test]
    fn wrong_ones_are_found() {
        use PlaceholderError::{NotAnIndex, OutOfRange, Reused, Unused};
        let out_of_range = |index, attachments| OutOfRange { index, attachments };
        for (json, attachments, error) in [
            (r#"[{"_placeholder":true,"num":"splice"}]"#, 1, NotAnIndex),
            (r#"[{"_placeholder":true,"num":-1}]"#, 1, NotAnIndex),
            (r#"[{"_placeholder":true,"num":0.5}]"#, 1, NotAnIndex),
            (r#"[{"_placeholder":true,"num":[0]}]"#, 1, NotAnIndex),
            (r#"[{"_placeholder":true,"num":0,"num":{}}]"#, 1, NotAnIndex),
            (r#"[{"_placeholder":true}]"#, 1, NotAnIndex),
            (r#"[{"_placeholder":true,"num":1}]"#, 1, out_of_range(1, 1)),
            (r#"[{"_placeholder":true,"num":0}]"#, 0, out_of_range(0, 0)),
            (
                r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
                2,
                Reused { index: 0 },
            ),
            (r#"[{"_placeholder":true,"num":0}]"#, 2, Unused { index: 1 }),
            ("[]", 1, Unused { index: 0 }),
        ] {
            assert_eq!(check_placeholders(json, attachments), Err(error), "{json}");
        }
    }

    #[test]
    fn escapes_hide_nothing() {
        let json = r#"[{"\u005fplaceholder":true,"n\u0075m":3}]"#;
        let error = PlaceholderError::OutOfRange {
            index: 3,
            attachments: 1,
        };
        assert_eq!(check_placeholders(json, 1), Err(error));
    }
}
