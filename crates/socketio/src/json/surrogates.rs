//! Escapes of half a character: `"\ud83d"`.
//!
//! JavaScript's text is UTF-16, where half of a surrogate pair is text like any other: what is left of an emoji that was cut
//! in two, for example. UTF-8, and so Rust, has no such text. It goes on as it came wherever only JSON is passed on; who reads
//! it finds U+FFFD instead, as browsers do that write such text to a network.

/// What half a character is read as.
const REPLACEMENT: &str = "\\ufffd";

/// Bytes of `\uXXXX`.
const ESCAPE: usize = 6;

/// The same valid JSON, with each half of a surrogate pair that stands alone replaced; none if there is none.
pub(super) fn replaced(json: &str) -> Option<String> {
    // Most JSON has no escape at all, and hardly any one of a surrogate.
    let has_escapes = json.as_bytes().contains(&b'\\');
    if !has_escapes || !(json.contains("\\ud") || json.contains("\\uD")) {
        return None;
    }
    let mut text = String::with_capacity(json.len());
    let (mut copied, mut at) = (0, 0);
    while let Some(next) = json.get(at..).and_then(|rest| rest.find('\\')) {
        at += next;
        match (
            unit(&json[at..]),
            unit(json.get(at + ESCAPE..).unwrap_or_default()),
        ) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 2 * ESCAPE,
            (Some(0xD800..=0xDFFF), _) => {
                text.push_str(&json[copied..at]);
                text.push_str(REPLACEMENT);
                at += ESCAPE;
                copied = at;
            }
            // The backslash and what it escapes, which in valid JSON is one byte.
            _ => at += 2,
        }
    }
    if copied == 0 {
        return None;
    }
    text.push_str(&json[copied..]);
    Some(text)
}

/// The UTF-16 code unit whose escape this text begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_that_stand_alone_are_replaced() {
        for (json, expected) in [
            (r#""\ud83d""#, Some(r#""\ufffd""#)),
            (r#""\uD83D!""#, Some(r#""\ufffd!""#)),
            (r#""\ude00""#, Some(r#""\ufffd""#)),
            (r#""\ude00\ud83d""#, Some(r#""\ufffd\ufffd""#)),
            (r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#)),
            (
                r#"{"\ud83d":"\n\ud83d\\ud83d"}"#,
                Some(r#"{"\ufffd":"\n\ufffd\\ud83d"}"#),
            ),
            (r#""\ud83d\ude00""#, None),
            (r#""\\ud83d""#, None),
            (r#""\\\\ud83d""#, None),
            (r#""\ue000""#, None),
            (r#"["x"]"#, None),
        ] {
            assert_eq!(replaced(json).as_deref(), expected, "{json}");
        }
    }

    proptest! {
        /// As a decoder of UTF-16 reads them.
        #[test]
        fn what_is_left_is_read_as_utf_16_is(units in prop::collection::vec(prop_oneof![
            any::<u16>(),
            0xD800_u16..0xE000,
            prop::sample::select(vec![u16::from(b'\\'), u16::from(b'u'), u16::from(b'"'), u16::from(b'd')]),
        ], 0..12)) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("\"{escaped}\"");
            let read = serde_json::from_str::<String>(replaced(&json).as_deref().unwrap_or(&json));
            prop_assert_eq!(read.expect("text"), String::from_utf16_lossy(&units));
        }

        #[test]
        fn no_text_is_a_panic(text in "[\\\\ud8\"é]{0,20}") {
            drop(replaced(&text));
        }
    }
}
