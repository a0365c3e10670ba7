//! Accounts and login sessions.
//!
//! The store has what `tower-sessions` would keep (an id by its hash, an owner, idle and absolute limits), and a socket finds
//! its login session by the cookie of its handshake, outside of any HTTP middleware; so a cookie and five calls of the store
//! are all there is.

pub(crate) mod cookie;
pub(crate) mod origin;
pub(crate) mod password;
pub(crate) mod secret;

use std::{net::IpAddr, time::Duration};

use hither_store::{Attempt, LoginLimits, Person, PersonId, PersonKind, SecretHash, StoreError};

pub(crate) use self::{
    password::Password,
    secret::{LoginId, Secret},
};
use crate::{
    actor::Actor,
    audience,
    news::{LoginEnd, News},
    refusal::{Code, Refusal},
    request::person_name,
    service::Service,
};

/// For how long attempts count.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// What a browser may be called in the list of login sessions.
const LABEL_CHARS: usize = 100;
/// Guests come back for as long; then their names are free.
const GUEST_LOGINS: LoginLimits = LoginLimits {
    idle: Duration::from_secs(24 * 60 * 60),
    absolute: Duration::from_secs(7 * 24 * 60 * 60),
};

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) login: SecretHash,
    pub(crate) actor: Actor,
}

/// From where somebody signs in.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) address: Option<IpAddr>,
    /// By what the browser calls itself.
    pub(crate) agent: String,
    /// The login session that it has already.
    pub(crate) current: Option<SignedIn>,
}

/// A login session that has begun: the browser is to keep the secret.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) secret: Secret,
    pub(crate) person: Person,
    pub(crate) max_age: Duration,
}

/// A guest, who has come or has another name.
#[derive(Debug)]
pub(crate) enum Guest {
    Begun(Begun),
    Renamed(Person),
}

impl Service {
    /// Whoever shows this secret.
    pub(crate) async fn signed_in(&self, secret: &Secret) -> Result<Option<SignedIn>, StoreError> {
        let login = secret.hash();
        let found = self.store.use_login(&login).await?;
        Ok(found.map(|(_, person)| SignedIn {
            login,
            actor: person.into(),
        }))
    }

    pub(crate) async fn sign_up(
        &self,
        visitor: Visitor,
        name: &str,
        password: String,
    ) -> Result<Begun, Refusal> {
        let (name, password) = (person_name(name)?, Password::new(password)?);
        self.count_address(&visitor).await?;
        let hash = self.passwords.hash(password).await?;
        let person = self.store.create_member(&name, &hash).await?;
        self.begin(visitor, person).await
    }

    pub(crate) async fn sign_in(
        &self,
        visitor: Visitor,
        name: &str,
        password: String,
    ) -> Result<Begun, Refusal> {
        let wrong = || {
            Refusal::new(
                Code::WrongCredentials,
                "There is no account of this name and password.",
            )
        };
        self.count_address(&visitor).await?;
        // What is no name has no account.
        let name = person_name(name).map_err(|_| wrong())?;
        let found = self.store.credentials(&name).await?;
        let subject = match &found {
            Some((person, _)) => account(person.id),
            None => format!("name {}", name.as_str().to_lowercase()),
        };
        self.count(&subject, self.config.attempts_per_account).await?;
        let (person, hash) = found.unzip();
        if !self.passwords.verify(password, hash).await? {
            return Err(wrong());
        }
        let person = person.ok_or_else(wrong)?;
        self.store.forget_attempts(&subject).await?;
        self.begin(visitor, person).await
    }

    /// A name without a password. Who is a guest already gets the name, and stays who he is.
    pub(crate) async fn come_as_guest(&self, visitor: Visitor, name: &str) -> Result<Guest, Refusal> {
        if !self.config.guests {
            return Err(Refusal::forbidden("Guests are not let in here; sign up first."));
        }
        let name = person_name(name)?;
        self.count_address(&visitor).await?;
        if let Some(SignedIn { actor, .. }) = &visitor.current
            && actor.kind == PersonKind::Guest
        {
            let person = self.store.rename(actor.id, &name).await?;
            let name = person.name.clone();
            self.tell(audience::of_person(person.id), News::Renamed { name })
                .await;
            return Ok(Guest::Renamed(person));
        }
        let person = self.store.create_guest(&name).await?;
        Ok(Guest::Begun(self.begin(visitor, person).await?))
    }

    /// A login session with a new secret; the one that the browser had ends. So nobody can be made to use a known one.
    async fn begin(&self, visitor: Visitor, person: Person) -> Result<Begun, Refusal> {
        let limits = match person.kind {
            PersonKind::Member => self.config.logins,
            PersonKind::Guest => GUEST_LOGINS,
        };
        let secret = Secret::random();
        let label: String = visitor
            .agent
            .chars()
            .filter(|char| !char.is_control())
            .take(LABEL_CHARS)
            .collect();
        self.store
            .create_login(&secret.hash(), person.id, limits, &label)
            .await?;
        if let Some(former) = visitor.current {
            self.end(&former.login, LoginEnd::SignedOut).await?;
        }
        Ok(Begun {
            secret,
            person,
            max_age: limits.absolute,
        })
    }

    async fn end(&self, login: &SecretHash, reason: LoginEnd) -> Result<(), StoreError> {
        match self.store.end_login(login).await {
            Ok(guest) => {
                self.tell(audience::of_login(login), News::LoginEnded { reason })
                    .await;
                if let Some(guest) = guest {
                    self.departed(guest).await;
                }
            }
            // Asked again because the answer was lost.
            Err(StoreError::NotFound(_)) => {
                self.tell(audience::of_login(login), News::LoginEnded { reason })
                    .await;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    pub(crate) async fn sign_out(&self, who: &SignedIn) -> Result<(), Refusal> {
        Ok(self.end(&who.login, LoginEnd::SignedOut).await?)
    }

    pub(crate) async fn sign_out_everywhere(&self, who: &SignedIn) -> Result<(), Refusal> {
        let ended = self.store.end_logins(who.actor.id, None).await?;
        let reason = LoginEnd::SignedOut;
        self.tell(audience::of_person(who.actor.id), News::LoginEnded { reason })
            .await;
        if let Some(guest) = ended.guest {
            self.departed(guest).await;
        }
        Ok(())
    }

    pub(crate) async fn change_password(
        &self,
        who: &SignedIn,
        current: String,
        new: String,
    ) -> Result<(), Refusal> {
        let new = Password::new(new)?;
        self.confirm(who, current).await?;
        let hash = self.passwords.hash(new).await?;
        self.store.set_password(who.actor.id, &hash).await?;
        let reason = LoginEnd::PasswordChanged;
        let ended = self.store.end_logins(who.actor.id, Some(&who.login)).await?;
        for login in ended.logins {
            self.tell(audience::of_login(&login), News::LoginEnded { reason })
                .await;
        }
        Ok(())
    }

    pub(crate) async fn delete_account(&self, who: &SignedIn, password: String) -> Result<(), Refusal> {
        self.confirm(who, password).await?;
        let deleted = self.store.delete_person(who.actor.id).await?;
        let reason = LoginEnd::AccountDeleted;
        self.tell(audience::of_person(who.actor.id), News::LoginEnded { reason })
            .await;
        self.departed(deleted).await;
        Ok(())
    }

    /// A token for the API; a former one is of no use any more.
    pub(crate) async fn make_token(&self, who: &SignedIn) -> Result<Secret, Refusal> {
        if who.actor.kind == PersonKind::Guest {
            return Err(Refusal::forbidden("Guests have no tokens; sign up first."));
        }
        let token = Secret::random();
        self.store.set_token(who.actor.id, Some(&token.hash())).await?;
        Ok(token)
    }

    pub(crate) async fn revoke_token(&self, who: &SignedIn) -> Result<(), Refusal> {
        if who.actor.kind == PersonKind::Member {
            self.store.set_token(who.actor.id, None).await?;
        }
        Ok(())
    }

    /// That it is really the owner of the account, and not who has found the browser open.
    async fn confirm(&self, who: &SignedIn, password: String) -> Result<(), Refusal> {
        let subject = account(who.actor.id);
        self.count(&subject, self.config.attempts_per_account).await?;
        let hash = self.store.password_hash(who.actor.id).await?;
        if !self.passwords.verify(password, hash).await? {
            return Err(Refusal::new(Code::WrongCredentials, "This is not your password."));
        }
        Ok(self.store.forget_attempts(&subject).await?)
    }

    async fn count_address(&self, visitor: &Visitor) -> Result<(), Refusal> {
        match visitor.address {
            Some(address) => {
                self.count(&subject_of(address), self.config.attempts_per_address)
                    .await
            }
            // Where the router is served without the addresses of its clients.
            None => Ok(()),
        }
    }

    async fn count(&self, subject: &str, limit: u32) -> Result<(), Refusal> {
        match self.store.count_attempt(subject, limit, WINDOW).await? {
            Attempt::Allowed => Ok(()),
            Attempt::Limited { retry_after } => Err(Refusal::limited("attempts", retry_after)),
        }
    }
}

fn account(person: PersonId) -> String {
    format!("account {person}")
}

/// Whoever has one address of IPv6 has all of its /64.
fn subject_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("address {address}"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("address {a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_by_what_one_has() {
        let subject = |text: &str| subject_of(text.parse().unwrap());
        assert_eq!(subject("192.0.2.7"), "address 192.0.2.7");
        assert_eq!(subject("::ffff:192.0.2.7"), "address 192.0.2.7");
        assert_eq!(subject("2001:db8::1"), subject("2001:db8::ffff:2"));
        assert_ne!(subject("2001:db8::1"), subject("2001:db8:0:1::1"));
    }
}
