//! The text that a message bears, so that its receiver knows which one it is and when it was sent.

use std::time::Duration;

use crate::delivery::StreamId;

/// Marks the begin of a stamp; nothing else in a frame has it.
const MARK: u8 = b'~';
const STREAM_DIGITS: usize = 8;
const NUMBER_DIGITS: usize = 10;
const TIME_DIGITS: usize = 14;
const STAMP_LENGTH: usize = 1 + STREAM_DIGITS + NUMBER_DIGITS + TIME_DIGITS;

/// The shortest payload that a stamp fits in, in bytes.
pub(crate) const SHORTEST_PAYLOAD: usize = STAMP_LENGTH;

/// Which message this is, and when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Its stream.
    pub(crate) stream: StreamId,
    /// Its place in the stream.
    pub(crate) number: u64,
    /// When it was sent, since the begin of the run; to the microsecond.
    pub(crate) sent: Duration,
}

impl Stamp {
    /// A text of `length` bytes that begins with this stamp.
    pub(crate) fn payload(&self, length: usize) -> String {
        let mut text = format!(
            "~{:0STREAM_DIGITS$}{:0NUMBER_DIGITS$}{:0TIME_DIGITS$}",
            self.stream.0,
            self.number,
            self.sent.as_micros(),
        );
        text.extend(std::iter::repeat_n('x', length.saturating_sub(text.len())));
        text
    }

    /// The first stamp in `frame`.
    pub(crate) fn find(frame: &[u8]) -> Option<Self> {
        let start = frame.iter().position(|byte| *byte == MARK)?;
        let digits = frame.get(start + 1..start + STAMP_LENGTH)?;
        let (stream, digits) = digits.split_at(STREAM_DIGITS);
        let (number, micros) = digits.split_at(NUMBER_DIGITS);
        Some(Self {
            stream: StreamId(u32::try_from(decimal(stream)?).ok()?),
            number: decimal(number)?,
            sent: Duration::from_micros(decimal(micros)?),
        })
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        stream: StreamId(12),
        number: 3456,
        sent: Duration::from_micros(7_890_123),
    };

    #[test]
    fn a_stamp_is_found_in_the_frame_that_bears_it() {
        let frame = format!(r#"42["message","room","{}","offset"]"#, STAMP.payload(64));
        assert_eq!(Stamp::find(frame.as_bytes()), Some(STAMP));
    }

    #[test]
    fn a_payload_has_the_length_that_was_asked_for() {
        assert_eq!(STAMP.payload(64).len(), 64);
        assert_eq!(STAMP.payload(0).len(), SHORTEST_PAYLOAD);
    }

    #[test]
    fn what_bears_no_stamp_has_none() {
        for frame in [
            "",
            "~",
            "2",
            r#"42["auth",{}]"#,
            "~0000001x00000000000000000000000000000",
        ] {
            assert_eq!(Stamp::find(frame.as_bytes()), None, "{frame}");
        }
    }
}
