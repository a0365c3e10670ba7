//! A walk over the pieces of JSON that is already known to be valid, without building values.

use super::{WHITESPACE, trim_start};

/// A piece of JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An object or array begins.
    Open,
    /// An object or array ends.
    Close,
    /// The key of an object's member, as written: quoted and escaped.
    Key(&'a str),
    /// A string, number, boolean or null, as written.
    Scalar(&'a str),
}

/// The pieces of a text. What they are is undefined where the text is not valid JSON; it is never a panic.
pub(super) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(json: &'a str) -> Tokens<'a> {
        Tokens { rest: json }
    }

    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', ',', ':']);
        match *self.rest.as_bytes().first()? {
            b'[' | b'{' => {
                self.take(1);
                Some(Token::Open)
            }
            b']' | b'}' => {
                self.take(1);
                Some(Token::Close)
            }
            b'"' => {
                let string = self.take(string_len(self.rest));
                let is_key = trim_start(self.rest).starts_with(':');
                Some(if is_key {
                    Token::Key(string)
                } else {
                    Token::Scalar(string)
                })
            }
            _ => {
                let end = self
                    .rest
                    .find([',', ':', '[', ']', '{', '}', '"'])
                    .unwrap_or(self.rest.len());
                Some(Token::Scalar(self.take(end).trim_end_matches(WHITESPACE)))
            }
        }
    }
}

/// Bytes from the quote with which `text` begins to the one that ends the string.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tells_keys_from_strings() {
        let tokens: Vec<Token> = Tokens::of(r#" { "a" : "b" , "c\"" : [ -1.5e3 , true ] } "#).collect();
        assert_eq!(
            tokens,
            [
                Token::Open,
                Token::Key(r#""a""#),
                Token::Scalar(r#""b""#),
                Token::Key(r#""c\"""#),
                Token::Open,
                Token::Scalar("-1.5e3"),
                Token::Scalar("true"),
                Token::Close,
                Token::Close,
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_comes_to_an_end(text in any::<String>()) {
            prop_assert!(Tokens::of(&text).count() <= text.len());
        }
    }
}
