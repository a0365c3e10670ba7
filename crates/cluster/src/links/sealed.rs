//! What has come on an encrypted connection: sealed chunks, and what was in them and is not taken yet.

use tokio::io::ReadBuf;

use super::noise::{LENGTH, MAX_CHUNK, NoiseError, Opener};

/// Room for a chunk of the largest length, and the beginning of the next.
const SPACE: usize = 128 << 10;

/// What has come on an encrypted connection.
pub(super) struct Incoming {
    opener: Opener,
    sealed: Box<[u8]>,
    /// Where in it the next chunk begins, and what has come ends.
    begin: usize,
    end: usize,
    opened: Vec<u8>,
    taken: usize,
}

impl Incoming {
    pub(super) fn new(opener: Opener) -> Self {
        Self {
            opener,
            sealed: vec![0; SPACE].into(),
            begin: 0,
            end: 0,
            opened: Vec::with_capacity(MAX_CHUNK),
            taken: 0,
        }
    }

    /// Gives as much as there is and fits; says how much.
    pub(super) fn take(&mut self, buffer: &mut ReadBuf<'_>) -> usize {
        let rest = self.opened.get(self.taken..).unwrap_or_default();
        let some = rest.get(..buffer.remaining()).unwrap_or(rest);
        buffer.put_slice(some);
        self.taken += some.len();
        some.len()
    }

    /// Opens the next chunk, once the one before is taken. False if it has not come yet.
    pub(super) fn open(&mut self) -> Result<bool, NoiseError> {
        let come = self.sealed.get(self.begin..self.end).unwrap_or_default();
        let Some((length, rest)) = come.split_first_chunk::<LENGTH>() else {
            return Ok(false);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some(chunk) = rest.get(..length) else {
            return Ok(false);
        };
        self.opened.clear();
        self.taken = 0;
        self.opener.open(chunk, &mut self.opened)?;
        self.begin += LENGTH + length;
        Ok(true)
    }

    /// Where what comes next is to be put; never empty when nothing is left to open.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.sealed.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        self.sealed.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes have been put there.
    pub(super) fn filled(&mut self, length: usize) {
        self.end += length;
    }

    /// Whether no chunk has come in part.
    pub(super) fn is_between_chunks(&self) -> bool {
        self.begin == self.end
    }
}
