//! What the fuzz targets reach of WebSockets.

use super::decoder::{Batch, Decoder};

/// Reads the same bytes at once and in two pieces, of which the first byte says where they are cut: it makes no difference.
pub fn frames(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let read = |pieces: &[&[u8]]| {
        let (mut decoder, mut batch) = (Decoder::new(1 << 16), Batch::default());
        for piece in pieces {
            if batch.end.is_none() {
                decoder.feed(piece, &mut batch);
            }
        }
        (batch.frames, batch.ping, batch.end)
    };
    let (first, second) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    assert_eq!(read(&[bytes]), read(&[first, second]));
}
