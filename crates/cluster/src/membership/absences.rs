//! What keeps seeds from being members: whoever cannot join reads it in the log.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tokio::{task::JoinSet, time::Instant};
use tracing::{info, warn};

use crate::{
    links::{Inquirer, NoAnswer},
    member::NodeId,
    version::WireVersions,
};

/// How long a seed may be missing before that is worth a word: gossip takes less.
const GRACE: Duration = Duration::from_secs(2);
/// Between two questions.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// The same trouble is told again after this time.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// Seeds that are asked at a time.
const MOST_ASKED: usize = 16;

/// Seeds that are not in the view.
pub(super) struct Absences {
    inquirer: Inquirer,
    absent: BTreeMap<SocketAddr, Absence>,
    asked: JoinSet<(SocketAddr, Result<NodeId, NoAnswer>)>,
}

struct Absence {
    seed: String,
    since: Instant,
    asked: Option<Instant>,
    told: Option<(String, Instant)>,
}

/// What keeps a seed away, and how much that is worth.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// It is down, as seeds may be.
    Down(String),
    /// Somebody has to mend something.
    Fault(String),
}

impl Absences {
    pub(super) fn new(inquirer: Inquirer) -> Self {
        Self {
            inquirer,
            absent: BTreeMap::new(),
            asked: JoinSet::new(),
        }
    }

    /// These addresses of seeds are missing now, and no others. Asks each at once, for a node that joins must learn before it
    /// starts alone that it cannot be of their cluster; and again and again when it has been missing for a while.
    pub(super) fn are_missing<'a>(&mut self, seeds: impl Iterator<Item = (SocketAddr, &'a str)>) {
        let now = Instant::now();
        let mut before = std::mem::take(&mut self.absent);
        for (address, seed) in seeds {
            let absence = before.remove(&address).unwrap_or_else(|| Absence {
                seed: seed.to_owned(),
                since: now,
                asked: None,
                told: None,
            });
            self.absent.insert(address, absence);
        }
        for (address, absence) in before {
            if absence.told.is_some() {
                info!(seed = absence.seed, %address, "seed is a member now");
            }
        }
        for (&address, absence) in &mut self.absent {
            if is_due(absence.since, absence.asked, now) && self.asked.len() < MOST_ASKED {
                absence.asked = Some(now);
                let inquirer = self.inquirer.clone();
                self.asked
                    .spawn(async move { (address, inquirer.ask(address).await) });
            }
        }
    }

    /// The next answer of one that was asked. Pends for ever, or is none, while nobody is asked.
    pub(super) async fn answer(&mut self) -> Option<(SocketAddr, Result<NodeId, NoAnswer>)> {
        self.asked.join_next().await?.ok()
    }

    /// Says why a seed is missing, unless that was said lately, or is too early. `is_heard` says whether gossip tells of it.
    pub(super) fn explain(&mut self, address: SocketAddr, answer: Result<NodeId, NoAnswer>, is_heard: bool) {
        let (Some(absence), Some(trouble)) = (
            self.absent.get_mut(&address),
            trouble(&self.inquirer, address, answer, is_heard),
        ) else {
            return;
        };
        if absence.since.elapsed() < GRACE {
            return;
        }
        let (Trouble::Down(reason) | Trouble::Fault(reason)) = &trouble;
        let is_told = |(told, at): &(String, Instant)| told == reason && at.elapsed() < TELL_EVERY;
        if absence.told.as_ref().is_some_and(is_told) {
            return;
        }
        let seed = &absence.seed;
        match &trouble {
            Trouble::Down(reason) => info!(seed, %address, reason, "seed is not there"),
            Trouble::Fault(reason) => warn!(seed, %address, reason, "seed is there, and no member"),
        }
        absence.told = Some((reason.clone(), Instant::now()));
    }
}

/// Whether a seed that has been missing since then, and was asked then, is to be asked now.
fn is_due(since: Instant, asked: Option<Instant>, now: Instant) -> bool {
    let worth_a_word = since + GRACE;
    match asked {
        None => true,
        Some(asked) if asked < worth_a_word => now >= worth_a_word,
        Some(asked) => now - asked >= ASK_EVERY,
    }
}

/// What a seed speaks, if that is why there is no answer.
pub(super) fn other_versions(answer: &Result<NodeId, NoAnswer>) -> Option<WireVersions> {
    match answer {
        Err(NoAnswer::VersionMismatch { theirs, .. }) => Some(*theirs),
        _ => None,
    }
}

fn trouble(
    inquirer: &Inquirer,
    address: SocketAddr,
    answer: Result<NodeId, NoAnswer>,
    is_heard: bool,
) -> Option<Trouble> {
    match answer {
        // Under another address; or what keeps it away is told by whoever knows.
        Ok(id) if is_heard || inquirer.is(&id) => None,
        Ok(id) => Some(Trouble::Fault(format!(
            "{} answers there over TCP, and no gossip comes from it: let UDP port {} through in both directions; and \
             its own --cluster must be the address that others send to",
            id.name,
            address.port()
        ))),
        Err(unreachable @ NoAnswer::Unreachable(_)) => Some(Trouble::Down(unreachable.to_string())),
        Err(answer @ (NoAnswer::Greeting(_) | NoAnswer::VersionMismatch { .. })) => {
            Some(Trouble::Fault(answer.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::{member::Incarnation, secret::testing::secret};

    fn node(name: &str) -> NodeId {
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(1),
        }
    }

    fn inquirer() -> Inquirer {
        Inquirer::new(node("me"), secret("ours").into())
    }

    fn seed() -> SocketAddr {
        ([127, 0, 0, 1], 7009).into()
    }

    fn version_mismatch() -> NoAnswer {
        NoAnswer::VersionMismatch {
            ours: WireVersions::new(3, 3, 3).unwrap(),
            theirs: WireVersions::new(4, 5, 4).unwrap(),
        }
    }

    #[test]
    fn each_reason_is_told_for_what_it_is() {
        let told = |answer, is_heard| trouble(&inquirer(), seed(), answer, is_heard);
        assert_eq!(told(Ok(node("other")), true), None, "gossip tells of it");
        assert_eq!(told(Ok(node("me")), false), None, "a seed may be the node itself");
        let Some(Trouble::Fault(reason)) = told(Ok(node("other")), false) else {
            panic!("UDP does not get through, and nobody is told");
        };
        assert!(
            reason.contains("other answers there over TCP") && reason.contains("UDP port 7009"),
            "{reason}"
        );
        let down = io::Error::from(io::ErrorKind::ConnectionRefused);
        let Some(Trouble::Down(reason)) = told(Err(NoAnswer::Unreachable(down)), false) else {
            panic!("it is down, and nobody is told");
        };
        assert!(reason.contains("cannot be reached over TCP"), "{reason}");
        let another = NoAnswer::Greeting("it has another cluster secret".to_owned());
        assert_eq!(
            told(Err(another), false),
            Some(Trouble::Fault("it has another cluster secret".to_owned()))
        );
        let Some(Trouble::Fault(reason)) = told(Err(version_mismatch()), false) else {
            panic!("it speaks other versions, and nobody is told");
        };
        assert!(reason.contains("3-3") && reason.contains("4-5"), "{reason}");
    }

    #[test]
    fn other_versions_are_known_from_other_troubles() {
        assert_eq!(
            other_versions(&Err(version_mismatch())),
            Some(WireVersions::new(4, 5, 4).unwrap())
        );
        assert_eq!(other_versions(&Ok(node("other"))), None);
        let other = NoAnswer::Greeting("it speaks in riddles".to_owned());
        assert_eq!(other_versions(&Err(other)), None);
    }

    #[test]
    fn a_seed_is_asked_at_once_and_after_the_grace_and_every_so_often() {
        let since = Instant::now();
        assert!(is_due(since, None, since));
        assert!(!is_due(since, Some(since), since + GRACE / 2));
        let second = since + GRACE;
        assert!(is_due(since, Some(since), second));
        assert!(!is_due(since, Some(second), second + ASK_EVERY / 2));
        assert!(is_due(since, Some(second), second + ASK_EVERY));
    }

    /// Whether `explain` has something told of this seed at this moment, as far as it remembers.
    fn told_at(absences: &Absences) -> Option<Instant> {
        absences.absent[&seed()].told.as_ref().map(|(_, at)| *at)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_is_told_again_after_a_while_and_not_before() {
        let mut absences = Absences::new(inquirer());
        let answer = || Err(NoAnswer::Greeting("it has another cluster secret".to_owned()));
        absences.are_missing([(seed(), "seed:7009")].into_iter());
        absences.explain(seed(), answer(), false);
        assert_eq!(told_at(&absences), None, "gossip may yet come");
        tokio::time::advance(GRACE).await;
        absences.explain(seed(), answer(), false);
        let first = told_at(&absences);
        assert_eq!(first, Some(Instant::now()));
        tokio::time::advance(TELL_EVERY / 2).await;
        absences.explain(seed(), answer(), false);
        assert_eq!(told_at(&absences), first, "it was told lately");
        absences.explain(seed(), Err(version_mismatch()), false);
        let second = told_at(&absences);
        assert_eq!(second, Some(Instant::now()), "that is another reason");
        tokio::time::advance(TELL_EVERY).await;
        absences.explain(seed(), Err(version_mismatch()), false);
        assert_eq!(told_at(&absences), Some(Instant::now()));
        // Of one that is missing no more nothing is told.
        absences.are_missing([].into_iter());
        absences.explain(seed(), answer(), false);
        assert!(absences.absent.is_empty());
    }
}
