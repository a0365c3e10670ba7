//! How a browser is told what to do with a file.

use axum::http::HeaderValue;
use hither_store::FileName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What `attr-char` of RFC 8187 has beside letters and digits stays as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `Content-Disposition` (RFC 6266): the name in ASCII for whoever knows no better, and as it is.
pub(crate) fn disposition(name: &FileName, inline: bool) -> HeaderValue {
    let kind = if inline { "inline" } else { "attachment" };
    // Within quotes, and nothing that ends or escapes them.
    let plain = |char: char| char.is_ascii_alphanumeric() || " !#$&()+,-.=@[]^_`{}~'".contains(char);
    let ascii: String = name
        .as_str()
        .chars()
        .map(|char| if plain(char) { char } else { '_' })
        .collect();
    let encoded = utf8_percent_encode(name.as_str(), ENCODED);
    let value = format!("{kind}; filename=\"{ascii}\"; filename*=UTF-8''{encoded}");
    // All of it is ASCII that can be seen.
    HeaderValue::from_str(&value).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(name: &str, inline: bool) -> String {
        let value = disposition(&FileName::cleaned(name), inline);
        value.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_name_is_told_in_two_ways() {
        assert_eq!(
            of("Rose 1.png", true),
            r#"inline; filename="Rose 1.png"; filename*=UTF-8''Rose%201.png"#
        );
        assert_eq!(
            of("日\"; filename=x.exe", false),
            r#"attachment; filename="___ filename=x.exe"; filename*=UTF-8''%E6%97%A5%22%3B%20filename%3Dx.exe"#
        );
    }

    proptest! {
        #[test]
        fn no_name_says_anything_else(name in any::<String>(), inline in any::<bool>()) {
            let value = of(&name, inline);
            let begin = if inline { "inline; filename=\"" } else { "attachment; filename=\"" };
            let rest = value.strip_prefix(begin).unwrap();
            let (ascii, encoded) = rest.split_once("\"; filename*=UTF-8''").unwrap();
            prop_assert!(!ascii.contains(['"', '\\', ';']));
            prop_assert!(!encoded.contains(['"', ';', ' ', ',']));
        }
    }
}
