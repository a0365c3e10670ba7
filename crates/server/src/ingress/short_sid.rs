//! Session ids in logs.

use std::fmt;

use hither_cluster::Key;

/// The beginning of a session id. The whole id is a credential, and no log shows it.
pub(crate) struct ShortSid<'a>(pub(crate) &'a Key);

/// Enough to follow one session through a log, too little to guess the rest.
const SHOWN: usize = 6;

impl fmt::Display for ShortSid<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sid = self.0.as_str();
        match sid.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(formatter, "{}…", &sid[..end]),
            None => formatter.write_str("…"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_the_whole_id() {
        for (sid, shown) in [
            ("abcdefgh", "abcdef…"),
            ("äöüßéèx", "äöüßéè…"),
            ("abcdef", "…"),
            ("", "…"),
        ] {
            assert_eq!(ShortSid(&Key::from(sid)).to_string(), shown);
        }
    }
}
