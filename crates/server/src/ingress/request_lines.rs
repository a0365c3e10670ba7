//! Characters that belong escaped in a request's target, and are sent as they are by clients that do not know.
//!
//! Node.js lets `{ " | < >` in a query pass, so such clients work with the reference. hyper refuses `"`, `<` and `>` before
//! anybody is asked. So these are escaped on their way to it, in the first line of a request and nowhere else: where it is
//! not certain that a line is one, all passes as it came, and hyper judges.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};

/// Where in HTTP/1 the next byte of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the beginning of a request, or before: empty lines may come first.
    Start,
    /// In a request's first line.
    Line,
    /// In the headers. Says whether the line that it is in is empty so far.
    Headers { is_empty: bool },
    /// Behind the headers, so many bytes. How long the body is the server will say.
    Behind { bytes: u64 },
    /// In a body, of which so much is left.
    Body { left: u64 },
    /// Nobody knows, or it is HTTP no more.
    Unknown,
}

/// Follows what comes over a connection, and escapes what is to be escaped.
#[derive(Debug)]
struct Follower {
    place: Place,
}

impl Follower {
    /// Takes what was read. None if it can pass as it is.
    fn read(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut escaped: Option<Vec<u8>> = None;
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            match &mut self.place {
                Place::Unknown => break,
                Place::Behind { bytes } => {
                    *bytes += rest.len() as u64;
                    break;
                }
                Place::Body { left } => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= skipped as u64;
                    if *left == 0 {
                        self.place = Place::Start;
                    }
                    if let Some(escaped) = &mut escaped {
                        escaped.extend_from_slice(&rest[..skipped]);
                    }
                    rest = &rest[skipped..];
                    continue;
                }
                Place::Start if matches!(byte, b'\r' | b'\n') => {}
                Place::Start | Place::Line => {
                    self.place = match byte {
                        b'\n' => Place::Headers { is_empty: true },
                        _ => Place::Line,
                    };
                    if needs_escape(byte) {
                        let escaped =
                            escaped.get_or_insert_with(|| bytes[..bytes.len() - rest.len()].to_vec());
                        escaped.extend_from_slice(format!("%{byte:02X}").as_bytes());
                        rest = after;
                        continue;
                    }
                }
                Place::Headers { is_empty } => match byte {
                    b'\n' if *is_empty => self.place = Place::Behind { bytes: 0 },
                    b'\n' => *is_empty = true,
                    b'\r' => {}
                    _ => *is_empty = false,
                },
            }
            if let Some(escaped) = &mut escaped {
                escaped.push(byte);
            }
            rest = after;
        }
        if let Some(escaped) = &mut escaped {
            escaped.extend_from_slice(rest);
        }
        escaped
    }

    /// The server has read a request's headers: its body has so many bytes, if it is known and HTTP goes on behind it.
    fn has_read_headers(&mut self, body: Option<u64>) {
        self.place = match (self.place, body) {
            (Place::Behind { bytes }, Some(body)) if bytes == body => Place::Start,
            (Place::Behind { bytes }, Some(body)) if bytes < body => Place::Body { left: body - bytes },
            _ => Place::Unknown,
        };
    }
}

/// What hyper does not take in a target.
fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>')
}

/// The request lines of a connection. Whoever serves it says which requests came.
#[derive(Clone, Debug)]
pub struct RequestLines(Arc<Mutex<Follower>>);

impl RequestLines {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Follower { place: Place::Start })))
    }

    /// A request has come with these headers, and a body of so many bytes, if that is known.
    pub fn request(&self, headers: &HeaderMap, body: Option<u64>) {
        let body = body.filter(|_| !headers.contains_key(header::UPGRADE));
        self.follow(|follower| follower.has_read_headers(body));
    }

    /// Takes what was read. None if it can pass as it is.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.follow(|follower| follower.read(bytes))
    }

    fn follow<T>(&self, what: impl FnOnce(&mut Follower) -> T) -> T {
        // Only one of the two sides of a connection runs at a time, and neither panics here.
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(follower: &mut Follower, bytes: &[u8]) -> String {
        let read = follower.read(bytes).unwrap_or_else(|| bytes.to_vec());
        String::from_utf8(read).unwrap()
    }

    fn new() -> Follower {
        Follower { place: Place::Start }
    }

    #[test]
    fn lines_are_escaped_and_headers_are_not() {
        let mut follower = new();
        let request = "\r\nGET /?a={\"b\"|<é>} HTTP/1.1\r\nx: \"<é>\"\r\n\r\n";
        assert_eq!(
            read(&mut follower, request.as_bytes()),
            "\r\nGET /?a={%22b%22|%3Cé%3E} HTTP/1.1\r\nx: \"<é>\"\r\n\r\n"
        );
        follower.has_read_headers(Some(0));
        assert_eq!(read(&mut follower, b"GET /?\" "), "GET /?%22 ");
    }

    #[test]
    fn bodies_are_not_escaped_and_what_follows_them_is() {
        let mut follower = new();
        let head = "POST /?\" HTTP/1.1\r\ncontent-length: 8\r\n\r\n";
        assert_eq!(
            read(&mut follower, format!("{head}\"<\n").as_bytes()),
            format!("{}\"<\n", head.replace('"', "%22"))
        );
        follower.has_read_headers(Some(8));
        assert_eq!(read(&mut follower, b">\n\"\""), ">\n\"\"");
        assert_eq!(read(&mut follower, b"\"GET /<"), "\"GET /%3C");
    }

    #[test]
    fn where_it_is_not_certain_nothing_is() {
        let head = b"GET / HTTP/1.1\r\n\r\n";
        for (body, behind) in [(None, &b""[..]), (Some(0), b"\"early\""), (Some(3), b"\"\"\"\"")] {
            let mut follower = new();
            assert_eq!(follower.read(head), None);
            assert_eq!(follower.read(behind), None);
            follower.has_read_headers(body);
            assert_eq!(follower.read(b"GET /\" HTTP/1.1\r\n\r\n"), None);
            follower.has_read_headers(Some(0));
            assert_eq!(follower.read(b"GET /\" HTTP/1.1\r\n\r\n"), None, "for good");
        }
    }

    #[test]
    fn a_websocket_is_left_alone() {
        let lines = RequestLines::new();
        assert_eq!(
            lines.read(b"GET /?< HTTP/1.1\r\n\r\n").map(|bytes| bytes.len()),
            Some(22)
        );
        let upgrade =
            HeaderMap::from_iter([(header::UPGRADE, header::HeaderValue::from_static("websocket"))]);
        lines.request(&upgrade, Some(0));
        assert_eq!(lines.read(b"\"<>\""), None);
    }

    proptest! {
        /// However the bytes arrive, and whatever the requests: hyper sees the same requests with nothing to refuse.
        #[test]
        fn it_does_not_matter_how_bytes_arrive(
            requests in prop::collection::vec(("/[a-z\"<>{|é]{0,20}", "[a-z\"<>\r\n]{0,30}"), 1..5),
            cut in 1_usize..40,
        ) {
            let mut follower = new();
            for (target, body) in requests {
                let head = |target: &str| {
                    format!("POST {target} HTTP/1.1\r\nx: <\">\r\ncontent-length: {}\r\n\r\n", body.len())
                };
                let sent = head(&target) + &body;
                let mut read = Vec::new();
                let (mut sent, mut is_told) = (sent.as_bytes(), false);
                while !sent.is_empty() {
                    let (chunk, rest) = sent.split_at(cut.min(sent.len()));
                    read.extend(follower.read(chunk).unwrap_or_else(|| chunk.to_vec()));
                    sent = rest;
                    if !is_told && matches!(follower.place, Place::Behind { .. }) {
                        is_told = true;
                        follower.has_read_headers(Some(body.len() as u64));
                    }
                }
                let escaped = target
                    .replace('"', "%22")
                    .replace('<', "%3C")
                    .replace('>', "%3E");
                prop_assert_eq!(String::from_utf8(read).unwrap(), head(&escaped) + &body);
            }
        }
    }
}
