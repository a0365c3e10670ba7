//! Long-polling for pages that can only load scripts and submit forms (JSONP), as the reference has it.
//!
//! A poll is a script whose text calls a function with the payload, and a push is a form with the payload in its field `d`.
//! A page of another origin can open a session so, but do nothing with it: forms name the origin of their page.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

/// The page's function that takes what is polled: `___eio[index]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Jsonp {
    /// Digits only.
    index: String,
}

impl Jsonp {
    /// As the query's `j` names it; what is no digit is left out.
    pub(super) fn of_query(j: &str) -> Self {
        Self {
            index: j.chars().filter(char::is_ascii_digit).collect(),
        }
    }

    /// The answer to a poll: a script that hands the payload over.
    pub(super) fn script(&self, payload: &[u8]) -> Response {
        let payload = String::from_utf8_lossy(payload);
        // Always text, so it can be written.
        let literal = serde_json::to_string(&payload).unwrap_or_default();
        // Line breaks in a script of before ES2019, though none in JSON.
        let literal = literal
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029");
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/javascript; charset=UTF-8"),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ),
        ];
        (headers, format!("___eio[{}]({literal});", self.index)).into_response()
    }
}

/// The payload in a form. None if it does not have exactly one field `d`, which the reference lets pass as nothing.
pub(super) fn payload_of_form(form: &[u8]) -> Option<Bytes> {
    let mut fields = form_urlencoded::parse(form).filter_map(|(name, value)| (name == "d").then_some(value));
    let (payload, None) = (fields.next()?, fields.next()) else {
        return None;
    };
    Some(unescaped(&payload).into_owned().into())
}

/// Undoes what the client does because browsers change line breaks in forms: `\n` for one, `\\n` for a backslash and an n.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains("\\n") {
        return Cow::Borrowed(text);
    }
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let (written, meant) = if rest.starts_with("\\\\n") {
            ("\\\\n", "\\n")
        } else if rest.starts_with("\\n") {
            ("\\n", "\n")
        } else {
            ("\\", "\\")
        };
        plain.push_str(meant);
        rest = &rest[written.len()..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_get_into_the_script() {
        for (j, index) in [("0", "0"), ("17", "17"), ("", ""), ("1];alert(1);//", "11")] {
            assert_eq!(Jsonp::of_query(j).index, index);
        }
    }

    #[test]
    fn forms_hold_a_payload() {
        for (form, payload) in [
            ("d=4hello", Some("4hello")),
            ("d=4a%2Bb+c%1e4d", Some("4a+b c\u{1e}4d")),
            ("x=1&d=4%E2%82%AC", Some("4€")),
            (r"d=4a\nb", Some("4a\nb")),
            (r"d=4a\\nb", Some(r"4a\nb")),
            (r"d=4a\\\nb\t", Some(r"4a\\nb\t")),
            ("d=", Some("")),
            ("", None),
            ("e=4", None),
            ("d=4a&d=4b", None),
        ] {
            let read = payload_of_form(form.as_bytes());
            assert_eq!(read.as_deref(), payload.map(str::as_bytes), "{form}");
        }
    }
}
