//! Passwords: hashed with argon2id, so many at a time, off the threads that serve everybody.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::{Semaphore, TryAcquireError};
use tracing::error;

use crate::refusal::{Code, Refusal};

/// Hashes that wait. One takes some 20 ms and 19 MiB, so this is the work of seconds.
const WAITING: usize = 128;
/// When whoever finds no place to wait is to come back.
const COME_BACK: Duration = Duration::from_secs(3);

/// Hashes passwords. The default parameters of `argon2` are those that OWASP recommends: argon2id, 19 MiB, 2 passes.
pub(crate) struct Passwords {
    at_a_time: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// What a password is compared with when there is no account, so that it takes as long.
    nobody: tokio::sync::OnceCell<String>,
}

/// A password that somebody may choose.
pub(crate) struct Password(String);

impl Password {
    /// Characters that a password has.
    const CHARS: std::ops::RangeInclusive<usize> = 8..=128;

    pub(crate) fn new(text: String) -> Result<Self, Refusal> {
        let chars = text.chars().count();
        if Self::CHARS.contains(&chars) {
            return Ok(Self(text));
        }
        let message = format!("A password has 8 to 128 characters; this one has {chars}.");
        Err(Refusal::new(Code::WeakPassword, message))
    }
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            at_a_time: Arc::new(Semaphore::new(cores.div_ceil(2))),
            places: Arc::new(Semaphore::new(WAITING)),
            nobody: tokio::sync::OnceCell::new(),
        }
    }

    pub(crate) async fn hash(&self, password: Password) -> Result<String, Refusal> {
        let hashed = self.work(move || {
            Argon2::default()
                .hash_password(password.0.as_bytes())
                .map(|hash| hash.to_string())
        });
        hashed.await?.map_err(|error| {
            error!(%error, "cannot hash a password");
            Refusal::unavailable(COME_BACK)
        })
    }

    /// Whether this is the password of a hash; without one it takes as long, and is not.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Refusal> {
        let is_somebody = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => {
                let nobody = || self.hash(Password("nobody has this".into()));
                self.nobody.get_or_try_init(nobody).await?.clone()
            }
        };
        // Longer ones cannot have been chosen.
        let text: String = password.chars().take(*Password::CHARS.end() + 1).collect();
        let verified = self.work(move || {
            let parsed = PasswordHash::new(&hash);
            parsed.map(|hash| Argon2::default().verify_password(text.as_bytes(), &hash).is_ok())
        });
        let is_right = verified.await?.map_err(|error| {
            error!(%error, "cannot read a password hash");
            Refusal::unavailable(COME_BACK)
        })?;
        Ok(is_right && is_somebody)
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let began = Instant::now();
        let place = match self.places.clone().try_acquire_owned() {
            Ok(place) => place,
            // Semaphores here are never closed.
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                return Err(Refusal::limited("people who sign in", COME_BACK));
            }
        };
        let turn = self.at_a_time.clone().acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let done = job();
            drop((place, turn));
            done
        });
        done.await.map_err(|error| {
            error!(%error, waited = ?began.elapsed(), "hashing a password has failed");
            Refusal::unavailable(COME_BACK)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_or_wrong() {
        let passwords = Passwords::new();
        let password = |text: &str| Password::new(text.to_owned()).unwrap();
        let hash = passwords.hash(password("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = async |text: &str, hash| passwords.verify(text.to_owned(), hash).await.unwrap();
        assert!(verify("correct horse", Some(hash.clone())).await);
        assert!(!verify("correct hors", Some(hash)).await);
        assert!(!verify("nobody has this", None).await);
    }

    #[test]
    fn a_password_has_8_to_128_characters() {
        assert!(Password::new("é".repeat(8)).is_ok());
        for bad in ["1234567".to_owned(), "x".repeat(129)] {
            assert_eq!(
                Password::new(bad).err().map(|refusal| refusal.code),
                Some(Code::WeakPassword)
            );
        }
    }

    #[tokio::test]
    async fn who_finds_no_place_is_told_to_come_back() {
        let passwords = Passwords::new();
        let _all = passwords.places.clone().acquire_many_owned(WAITING as u32).await;
        let refusal = passwords
            .verify("x".into(), Some(String::new()))
            .await
            .unwrap_err();
        assert_eq!(refusal.code, Code::Limited);
    }
}
