//! Files that were uploaded.

use std::{fmt, ops::Deref, sync::Arc};

use crate::model::{
    ids::{AttachmentId, Number, PersonId, RoomId},
    names::hides,
};

/// The most bytes of an attachment.
pub const MAX_ATTACHMENT_BYTES: usize = 16 * 1024 * 1024;

/// The name of a file, as it is shown: 1 to [`FileName::MAX_CHARS`] characters, all of which are seen, and no path. Nothing is
/// found or kept by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// The most characters of a name.
    pub const MAX_CHARS: usize = 200;

    /// What can be shown of what somebody calls a file. Of one that is too long, beginning and end.
    pub fn cleaned(text: &str) -> Self {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let seen: String = last.chars().filter(|char| !hides(*char)).collect();
        let seen = seen.trim().trim_start_matches('.');
        let chars: Vec<char> = seen.chars().collect();
        Self(match chars.len() {
            0 => "file".to_owned(),
            length if length <= Self::MAX_CHARS => seen.to_owned(),
            length => {
                const END: usize = 20;
                let (begin, end) = (&chars[..Self::MAX_CHARS - END - 1], &chars[length - END..]);
                begin.iter().chain(&['…']).chain(end).collect()
            }
        })
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The bytes of a file, shared: they are not copied when a write is repeated.
#[derive(Clone)]
pub struct Content(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl<T: AsRef<[u8]> + Send + Sync + 'static> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self(Arc::new(bytes))
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.len())
    }
}

/// A file to be kept. It is removed after an hour unless a message refers to it.
#[derive(Clone, Debug)]
pub struct NewAttachment {
    /// Who has uploaded it.
    pub owner: PersonId,
    /// To where; its members may see it once a message refers to it.
    pub room: RoomId,
    /// As it is shown.
    pub name: FileName,
    /// By its content.
    pub media_type: String,
    /// Width and height, of an image.
    pub dimensions: Option<(u32, u32)>,
    /// At most [`MAX_ATTACHMENT_BYTES`].
    pub content: Content,
    /// A smaller image.
    pub preview: Option<Vec<u8>>,
}

/// A file that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Which it is.
    pub id: AttachmentId,
    /// Who has uploaded it.
    pub owner: PersonId,
    /// To where.
    pub room: RoomId,
    /// Of which message; none before it is sent.
    pub number: Option<Number>,
    /// As it is shown.
    pub name: FileName,
    /// By its content.
    pub media_type: String,
    /// In bytes.
    pub size: u64,
    /// Width and height, of an image.
    pub dimensions: Option<(u32, u32)>,
    /// Whether there is a smaller image.
    pub preview: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels() {
        let long = format!("{}.jpeg", "é".repeat(300));
        for (text, shown) in [
            ("rose.png", "rose.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\photos\\rose (1).png", "rose (1).png"),
            ("..", "file"),
            (".bashrc", "bashrc"),
            ("", "file"),
            ("a\0b\r\nc\u{202e}gnp.exe", "abcgnp.exe"),
            ("日本 \"x\";.txt", "日本 \"x\";.txt"),
        ] {
            assert_eq!(FileName::cleaned(text).as_str(), shown, "{text:?}");
        }
        let cut = FileName::cleaned(&long);
        assert_eq!(cut.as_str().chars().count(), FileName::MAX_CHARS);
        assert!(cut.as_str().ends_with("é.jpeg"), "{cut}");
        assert_eq!(FileName::cleaned(cut.as_str()), cut);
    }
}
