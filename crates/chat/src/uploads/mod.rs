//! Files that people upload, and attach to messages.
//!
//! They are kept in the store, since that is what all nodes share and what a backup has. What a file is, its content alone
//! says: one that can be read as an image of four formats is shown as such, without what its camera wrote into it; all else is a download,
//! whatever it is called, and stays as it is.

mod intake;
mod metadata;
mod name;
mod picture;

use hither::BodyBudget;

pub(crate) use self::intake::Incoming;
pub(crate) use self::name::disposition;
use self::picture::Studio;
pub(crate) use self::picture::preview_type;

/// Files that one message may have.
pub(crate) const MAX_ATTACHMENTS: usize = 4;
/// Bytes of uploads that a node holds at a time: of those that come, and of those that are looked at.
const BODIES: usize = 64 << 20;
/// What is served for a file that is no image.
pub(crate) const OTHER: &str = "application/octet-stream";

/// What a node needs for uploads.
pub(crate) struct Uploads {
    bodies: BodyBudget,
    studio: Studio,
}

impl Uploads {
    pub(crate) fn new() -> Self {
        Self {
            bodies: BodyBudget::new(BODIES),
            studio: Studio::new(),
        }
    }
}
