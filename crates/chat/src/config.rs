//! Settings of the chat.

use std::time::Duration;

use hither::TrustedProxies;
use hither_store::{LoginLimits, Retention};

/// How the chat treats people. The same on every node of a cluster.
#[derive(Clone, Debug)]
pub struct ChatConfig {
    /// Bytes of UTF-8 that a message may have. Of use only below the `maxPayload` of the server: what exceeds that closes
    /// the session before the chat sees it.
    pub max_message_bytes: usize,
    /// Rooms that one person may be in.
    pub max_rooms: usize,
    /// Whether people may chat under a name alone, without an account.
    pub guests: bool,
    /// When login sessions end.
    pub logins: LoginLimits,
    /// The proxies that are believed when they say for whom they speak: by that address attempts to sign in are counted.
    pub trusted_proxies: TrustedProxies,
    /// Attempts to sign in, to sign up or to come as a guest that one address has in 15 minutes. Behind a NAT a whole office
    /// shares them.
    pub attempts_per_address: u32,
    /// Wrong passwords that one account takes in 15 minutes.
    pub attempts_per_account: u32,
    /// Messages that one person may send per second in the long run, and four times as many at once.
    pub messages_per_second: u32,
    /// Bytes that an uploaded file may have, at most [`MAX_UPLOAD_BYTES`](Self::MAX_UPLOAD_BYTES); 0 turns uploads off.
    pub max_upload_bytes: usize,
    /// What is kept of the messages of a room.
    pub retention: Retention,
}

impl ChatConfig {
    /// The largest file that the store takes.
    pub const MAX_UPLOAD_BYTES: usize = hither_store::MAX_ATTACHMENT_BYTES;
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for ChatConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 10,
            max_rooms: 200,
            guests: false,
            logins: LoginLimits {
                idle: DAY * 30,
                absolute: DAY * 90,
            },
            trusted_proxies: TrustedProxies::default(),
            attempts_per_address: 100,
            attempts_per_account: 10,
            messages_per_second: 10,
            max_upload_bytes: 10 << 20,
            retention: Retention::default(),
        }
    }
}
