//! A packet whose attachments have not all come, and what has changed of it since somebody was told.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Decoded, Decoder};

/// A packet that lacks attachments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) decoded: Decoded,
    pub(super) announced: usize,
    pub(super) attachments: Vec<Bytes>,
    pub(super) bytes: usize,
}

/// How much somebody has been told of a half packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HalfPacketMark {
    /// Which packet, and how many of its attachments; none if none is begun.
    begun: Option<(u64, usize)>,
}

/// What has changed of a half packet. Attachments are told once each, for they may be large and others change often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HalfPacketChange {
    Same,
    /// None is begun.
    None,
    Begun(Box<HalfPacket>),
    More(Vec<Bytes>),
}

/// A half packet as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HalfPacket(Begun);

impl Decoder {
    pub(crate) fn half_packet_mark(&self) -> HalfPacketMark {
        let begun = self.begun.as_ref();
        HalfPacketMark {
            begun: begun.map(|begun| (self.halves, begun.attachments.len())),
        }
    }

    pub(crate) fn half_packet_since(&self, mark: &HalfPacketMark) -> HalfPacketChange {
        match (&self.begun, mark.begun) {
            (None, None) => HalfPacketChange::Same,
            (None, Some(_)) => HalfPacketChange::None,
            (Some(begun), Some((number, known))) if number == self.halves => {
                let more = begun.attachments.get(known..).unwrap_or_default();
                if more.is_empty() {
                    HalfPacketChange::Same
                } else {
                    HalfPacketChange::More(more.to_vec())
                }
            }
            (Some(begun), _) => HalfPacketChange::Begun(Box::new(HalfPacket(Begun::clone(begun)))),
        }
    }

    /// Bytes of a half packet.
    pub(crate) fn half_packet_bytes(&self) -> usize {
        self.begun.as_ref().map_or(0, |begun| begun.bytes)
    }

    /// Takes over what has changed elsewhere.
    pub(crate) fn update(&mut self, change: HalfPacketChange) {
        match change {
            HalfPacketChange::Same => {}
            HalfPacketChange::None => self.begun = None,
            HalfPacketChange::Begun(half) => self.begun = Some(Box::new(half.0)),
            HalfPacketChange::More(more) => {
                if let Some(begun) = &mut self.begun {
                    begun.bytes += more.iter().map(Bytes::len).sum::<usize>();
                    begun.attachments.extend(more);
                }
            }
        }
    }
}
