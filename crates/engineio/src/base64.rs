//! Base64 as the peers of this protocol write it.

use std::borrow::Cow;

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};

/// Writes padding, as the specification's examples do, and reads with or without it, as the reference server
/// does.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Reads what any common encoder writes, also one for addresses (`-` and `_`) or for mails (lines).
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    BASE64.decode(&*in_the_standard_alphabet(text))
}

fn in_the_standard_alphabet(text: &str) -> Cow<'_, str> {
    let is_other = |character: char| matches!(character, '-' | '_') || character.is_ascii_whitespace();
    if !text.contains(is_other) {
        return Cow::Borrowed(text);
    }
    let standard = text
        .chars()
        .filter(|character| !character.is_ascii_whitespace())
        .map(|character| match character {
            '-' => '+',
            '_' => '/',
            other => other,
        });
    Cow::Owned(standard.collect())
}

/// Characters that [`encode`] makes of so many bytes.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}
