//! What keeps seeds from being members: whoever cannot join reads it in the log.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tokio::{task::JoinSet, time::Instant};
use tracing::{info, warn};

use crate::{
    links::{Inquirer, NoAnswer},
    member::NodeId,
};

/// How long a seed may be missing before it is asked: gossip takes less.
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

    /// These addresses of seeds are missing now, and no others. Asks those that have been for a while.
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
            let is_due = absence.asked.is_none_or(|asked| now - asked >= ASK_EVERY);
            if now - absence.since >= GRACE && is_due && self.asked.len() < MOST_ASKED {
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

    /// Says why a seed is missing, unless that was said lately. `is_heard` says whether gossip tells of it.
    pub(super) fn explain(&mut self, address: SocketAddr, answer: Result<NodeId, NoAnswer>, is_heard: bool) {
        let (Some(absence), Some(trouble)) = (
            self.absent.get_mut(&address),
            trouble(&self.inquirer, address, answer, is_heard),
        ) else {
            return;
        };
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
        Err(answer @ NoAnswer::Greeting(_)) => Some(Trouble::Fault(answer.to_string())),
    }
}
