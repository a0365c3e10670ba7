//! Files that were uploaded.

use crate::model::ids::{AttachmentId, Number, PersonId, RoomId};

/// The most bytes of an attachment.
pub const MAX_ATTACHMENT_BYTES: usize = 16 * 1024 * 1024;
/// Characters of a file's name.
pub const MAX_FILE_NAME_CHARS: usize = 200;

/// A file to be kept. It is removed after a day unless a message refers to it.
#[derive(Clone, Debug)]
pub struct NewAttachment {
    /// Who has uploaded it.
    pub owner: PersonId,
    /// To where; its members may see it once a message refers to it.
    pub room: RoomId,
    /// As it is shown; never used as a path.
    pub name: String,
    /// By its content.
    pub media_type: String,
    /// Width and height, of an image.
    pub dimensions: Option<(u32, u32)>,
    /// At most [`MAX_ATTACHMENT_BYTES`].
    pub content: Vec<u8>,
    /// A smaller image, in the same format.
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
    pub name: String,
    /// By its content.
    pub media_type: String,
    /// In bytes.
    pub size: u64,
    /// Width and height, of an image.
    pub dimensions: Option<(u32, u32)>,
    /// Whether there is a smaller image.
    pub preview: bool,
}
