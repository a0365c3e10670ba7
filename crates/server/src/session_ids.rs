//! Session ids: random, and marked so that every node of the cluster tells made-up ones from its own.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hither_cluster::{Key, MacKeys, Secrets};

/// Random bytes of a session id: 144 bits, of which drawing for a shard costs a few.
const RANDOM: usize = 18;

/// Bytes of the code that marks it. Whoever would make one up needs 2⁷¹ requests for it, and would have found no session
/// then: the random bytes are the credential.
const CODE: usize = 9;

const BYTES: usize = RANDOM + CODE;

/// Characters of a session id.
const LENGTH: usize = BYTES.div_ceil(3) * 4;

/// Mints session ids, and tells them from what somebody made up.
///
/// An unknown id may be that of a session on its way between nodes, so its owner may have to wait before it says that
/// there is none. With a code that takes the cluster's secret, this wait and all that goes with it is out of reach for who
/// has never had a session. In a cluster without a secret of its own anybody can make the code.
#[derive(Debug)]
pub(crate) struct SessionIds {
    keys: MacKeys,
}

impl SessionIds {
    /// Marks new ids by the first secret, and knows those that were marked by any.
    pub(crate) fn new(secrets: &Secrets) -> Self {
        Self {
            keys: secrets.mac_keys("session id"),
        }
    }

    pub(crate) fn mint(&self) -> Key {
        let mut bytes = [0; BYTES];
        let (random, code) = bytes.split_at_mut(RANDOM);
        random.copy_from_slice(&rand::random::<[u8; RANDOM]>());
        code.copy_from_slice(&self.keys.code(random)[..CODE]);
        Key::from(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Whether a node of this cluster has minted this id.
    pub(crate) fn has_minted(&self, sid: &str) -> bool {
        // Longer ones are not worth decoding.
        if sid.len() != LENGTH {
            return false;
        }
        let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(sid) else {
            return false;
        };
        let Some((random, code)) = bytes.split_at_checked(RANDOM) else {
            return false;
        };
        code.len() == CODE && self.keys.verifies(random, code)
    }
}

#[cfg(test)]
mod tests {
    use hither_cluster::Secret;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_node_knows_what_another_has_minted_and_nothing_else() {
        let ours = Secrets::from(Secret::random());
        let sid = SessionIds::new(&ours).mint();
        assert!(SessionIds::new(&ours).has_minted(sid.as_str()));
        assert!(!SessionIds::new(&Secret::random().into()).has_minted(sid.as_str()));
        assert_eq!(sid.as_str().len(), LENGTH);
    }

    #[test]
    fn while_a_secret_is_exchanged_both_count() {
        let (old, new) = (Secret::random(), Secret::random());
        let secrets = Secrets::new([old.clone(), new.clone()]).unwrap();
        let ids = SessionIds::new(&secrets);
        let before = ids.mint();
        secrets.replace(&Secrets::new([new.clone(), old]).unwrap());
        let after = ids.mint();
        assert!(ids.has_minted(before.as_str()));
        secrets.replace(&new.into());
        assert!(!ids.has_minted(before.as_str()));
        assert!(ids.has_minted(after.as_str()));
    }

    #[test]
    fn a_changed_character_makes_it_another() {
        let ids = SessionIds::new(&Secret::random().into());
        let sid = ids.mint().as_str().to_owned();
        for at in 0..sid.len() {
            let mut changed = sid.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(!ids.has_minted(&String::from_utf8(changed).unwrap()), "{at}");
        }
    }

    proptest! {
        #[test]
        fn what_is_made_up_is_unknown(text in "\\PC{0,60}", bytes in prop::array::uniform27(any::<u8>())) {
            let ids = SessionIds::new(&Secret::random().into());
            prop_assert!(!ids.has_minted(&text));
            prop_assert!(!ids.has_minted(&BASE64_URL_SAFE_NO_PAD.encode(bytes)));
        }
    }
}
