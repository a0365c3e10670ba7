//! Gossip datagrams carry a MAC: HMAC-SHA256, cut to 16 bytes, after the payload.
//!
//! A replayed datagram does no harm: all it says is versioned, and old versions are ignored.

use hmac::Mac;

use crate::secret::GossipKey;

/// Bytes that [`seal`] adds.
pub(super) const TAG_LENGTH: usize = 16;

/// Appends the MAC.
pub(super) fn seal(key: &GossipKey, datagram: &mut Vec<u8>) {
    let tag = key.mac().chain_update(&datagram).finalize().into_bytes();
    datagram.extend(tag.iter().take(TAG_LENGTH));
}

/// The payload of a datagram that somebody who knows the secret has sealed.
pub(super) fn open<'a>(key: &GossipKey, datagram: &'a [u8]) -> Option<&'a [u8]> {
    let (payload, tag) = datagram.split_at_checked(datagram.len().checked_sub(TAG_LENGTH)?)?;
    key.mac().chain_update(payload).verify_truncated_left(tag).ok()?;
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn key(secret: &str) -> GossipKey {
        Secret::new(secret).unwrap().gossip_key()
    }

    fn sealed(key: &GossipKey, payload: &[u8]) -> Vec<u8> {
        let mut datagram = payload.to_vec();
        seal(key, &mut datagram);
        datagram
    }

    #[test]
    fn what_was_sealed_opens() {
        let key = key("one secret of the cluster");
        for payload in [b"".as_slice(), b"x", &[7; 60_000]] {
            let datagram = sealed(&key, payload);
            assert_eq!(datagram.len(), payload.len() + TAG_LENGTH);
            assert_eq!(open(&key, &datagram), Some(payload));
        }
    }

    #[test]
    fn another_secret_does_not_open_it() {
        let datagram = sealed(&key("one secret of the cluster"), b"heartbeat");
        assert_eq!(open(&key("two secrets of the cluster"), &datagram), None);
    }

    #[test]
    fn no_bit_can_be_changed() {
        let key = key("one secret of the cluster");
        let datagram = sealed(&key, b"heartbeat 17");
        for bit in 0..datagram.len() * 8 {
            let mut forged = datagram.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, &forged), None, "bit {bit}");
        }
    }

    #[test]
    fn what_is_too_short_for_a_seal_is_refused() {
        let key = key("one secret of the cluster");
        for length in 0..=TAG_LENGTH {
            assert_eq!(open(&key, &vec![0; length]), None, "{length} bytes");
        }
        let datagram = sealed(&key, b"heartbeat");
        assert_eq!(open(&key, &datagram[..datagram.len() - 1]), None);
    }
}
