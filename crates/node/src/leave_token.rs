//! The leave token with which an operator asks a node to leave: a seal that only one of the cluster's secrets can make.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderValue;
use hither::cluster::Secrets;

/// The scheme of the `Authorization` header that carries a leave token.
const SCHEME: &str = "Hither";

/// What the seal is for, so that it opens nothing else.
const PURPOSE: &str = "leave";

/// How old a leave token may be; and how far the operator's clock may be ahead.
const VALIDITY: Duration = Duration::from_secs(30);

/// One life of one node. A leave token is for that alone: a node that was started again does not leave by a leave token of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bearer<'a> {
    /// The node's name.
    pub(crate) node: &'a str,
    /// When it started, in milliseconds since the Unix epoch.
    pub(crate) incarnation: u64,
}

/// Why a leave token does not hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LeaveTokenError {
    #[error("a leave token is `{SCHEME} SECONDS SEAL`, as `hither leave` makes it")]
    Unreadable,
    #[error("the leave token was made with another secret, or for another node")]
    Forged,
    #[error(
        "the leave token was made {} s {}, and holds for {} s: are the clocks of both machines right?",
        difference.as_secs(), if *ahead { "ahead of now" } else { "ago" }, VALIDITY.as_secs()
    )]
    Stale { difference: Duration, ahead: bool },
}

/// A leave token for a node, made now: the value of an `Authorization` header.
pub(crate) fn make(secrets: &Secrets, bearer: Bearer<'_>, now: SystemTime) -> String {
    let seconds = since_epoch(now).as_secs();
    let seal = secrets.seal(PURPOSE, &sealed(bearer, seconds));
    format!("{SCHEME} {seconds} {seal}")
}

/// What a leave token must look like: the value of a `WWW-Authenticate` header.
pub(crate) fn challenge() -> HeaderValue {
    HeaderValue::from_static(SCHEME)
}

/// Whether a leave token holds for a node now.
pub(crate) fn check(
    secrets: &Secrets,
    bearer: Bearer<'_>,
    now: SystemTime,
    token: &str,
) -> Result<(), LeaveTokenError> {
    let mut words = token.split(' ');
    let (Some(SCHEME), Some(seconds), Some(seal), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(LeaveTokenError::Unreadable);
    };
    let seconds = seconds.parse().map_err(|_| LeaveTokenError::Unreadable)?;
    if !secrets.is_seal(PURPOSE, &sealed(bearer, seconds), seal) {
        return Err(LeaveTokenError::Forged);
    }
    let (made, now) = (Duration::from_secs(seconds), since_epoch(now));
    let difference = made.abs_diff(now);
    if difference > VALIDITY {
        let ahead = made > now;
        return Err(LeaveTokenError::Stale { difference, ahead });
    }
    Ok(())
}

/// Names have no spaces, so no two are sealed as one.
fn sealed(Bearer { node, incarnation }: Bearer<'_>, seconds: u64) -> String {
    format!("{node} {incarnation} {seconds}")
}

fn since_epoch(time: SystemTime) -> Duration {
    // A clock before 1970 is wrong by more than any leave token holds.
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod testing {
    use super::Bearer;

    /// A node that can be asked to leave.
    pub(crate) const NODE: Bearer<'static> = Bearer {
        node: "node1",
        incarnation: 7,
    };
}

#[cfg(test)]
mod tests {
    use hither::cluster::Secret;

    use super::{testing::NODE, *};

    const SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn secret() -> Secrets {
        Secrets::parse(SECRET).unwrap()
    }

    fn noon() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_176_000)
    }

    #[test]
    fn a_pass_holds_for_the_node_it_was_made_for() {
        let token = make(&secret(), NODE, noon());
        assert_eq!(check(&secret(), NODE, noon(), &token), Ok(()));
        let reborn = Bearer {
            incarnation: 8,
            ..NODE
        };
        let other = Bearer {
            node: "node2",
            ..NODE
        };
        for bearer in [reborn, other] {
            assert_eq!(
                check(&secret(), bearer, noon(), &token),
                Err(LeaveTokenError::Forged)
            );
        }
    }

    #[test]
    fn another_secret_makes_other_passes() {
        let other = Secrets::from(Secret::random());
        let token = make(&other, NODE, noon());
        assert_eq!(
            check(&secret(), NODE, noon(), &token),
            Err(LeaveTokenError::Forged)
        );
    }

    #[test]
    fn a_pass_does_not_hold_for_long_and_clocks_may_differ_by_as_much() {
        let token = make(&secret(), NODE, noon());
        let at = |now| check(&secret(), NODE, now, &token);
        assert_eq!(at(noon() + VALIDITY), Ok(()));
        assert_eq!(at(noon() - VALIDITY), Ok(()));
        let late = at(noon() + VALIDITY + Duration::from_secs(1))
            .unwrap_err()
            .to_string();
        assert!(late.starts_with("the leave token was made 31 s ago"), "{late}");
        let early = at(noon() - Duration::from_secs(60)).unwrap_err().to_string();
        assert!(
            early.starts_with("the leave token was made 60 s ahead of now"),
            "{early}"
        );
    }

    #[test]
    fn the_time_in_a_pass_is_sealed_too() {
        let token = make(&secret(), NODE, noon());
        let later = noon() + 2 * VALIDITY;
        let refreshed = token.replace("1795176000", "1795176060");
        assert_ne!(token, refreshed);
        assert_eq!(
            check(&secret(), NODE, later, &refreshed),
            Err(LeaveTokenError::Forged)
        );
    }

    #[test]
    fn what_is_no_pass_is_told_so() {
        for text in [
            "",
            "Hither",
            "Hither 1",
            "Hither x y",
            "Bearer 1 2",
            "Hither 1 2 3",
            "Hither -1 2",
        ] {
            assert_eq!(
                check(&secret(), NODE, noon(), text),
                Err(LeaveTokenError::Unreadable),
                "{text}"
            );
        }
    }
}
