//! Files that are read again while the node runs: when they change, and at SIGHUP.

use std::{fmt, io, path::PathBuf, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::{
    settings::{Trust, read_secrets},
    tls::Tls,
};

/// How often files are looked at. They are small, and reading them notices every way in which they can be exchanged.
const EVERY: Duration = Duration::from_secs(1);

/// Reads the files with secrets again while this is kept. `None` if there are none.
pub(crate) fn follow_secrets(trust: &Trust, files: &[PathBuf]) -> io::Result<Option<AbortOnDropHandle<()>>> {
    let Trust::Secrets(secrets) = trust else {
        return Ok(None);
    };
    if files.is_empty() {
        return Ok(None);
    }
    let (secrets, files) = (secrets.clone(), files.to_vec());
    let mut troubles = Troubles::default();
    let read = move || match read_secrets(&files) {
        Ok(read) => {
            troubles.over();
            if secrets.replace(&read) {
                let mut all = secrets.fingerprints().into_iter();
                let used = all.next().unwrap_or_default();
                let accepted = all.collect::<Vec<_>>().join(",");
                info!(%used, also_accepted = accepted, "cluster secrets read again");
            }
        }
        Err(error) => troubles.tell(&error, "cluster secrets stay as they are"),
    };
    Ok(Some(AbortOnDropHandle::new(tokio::spawn(again(
        signal(SignalKind::hangup())?,
        read,
    )))))
}

/// Reads a certificate and its key again while this is kept.
pub(crate) fn follow_certificate(tls: Tls) -> io::Result<AbortOnDropHandle<()>> {
    let mut troubles = Troubles::default();
    // Two files are exchanged one after the other, and may not fit each other in between.
    let mut last = None;
    let read = move || match tls.read_again() {
        Ok(changed) => {
            troubles.over();
            last = None;
            if changed {
                info!(fingerprint = tls.fingerprint(), "certificate read again");
            }
        }
        Err(error) => {
            let error = error.to_string();
            if last.as_ref() == Some(&error) {
                troubles.tell(&error, "the certificate stays as it is");
            }
            last = Some(error);
        }
    };
    Ok(AbortOnDropHandle::new(tokio::spawn(again(
        signal(SignalKind::hangup())?,
        read,
    ))))
}

async fn again(mut hangups: Signal, mut read: impl FnMut()) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = hangups.recv() => {}
        }
        read();
    }
}

/// What has gone wrong at the last time, so that it is told once.
#[derive(Default)]
struct Troubles(Option<String>);

impl Troubles {
    fn tell(&mut self, error: &dyn fmt::Display, consequence: &str) {
        let error = error.to_string();
        if self.0.as_ref() != Some(&error) {
            warn!(error, "{consequence}");
            self.0 = Some(error);
        }
    }

    fn over(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Instant};

    use hither::cluster::{Secret, Secrets};

    use super::*;

    async fn until(what: &str, condition: impl Fn() -> bool) {
        let begin = Instant::now();
        while !condition() {
            assert!(begin.elapsed() < Duration::from_secs(20), "waited for {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_is_read_again_and_one_that_cannot_be_used_is_not() {
        let path = std::env::temp_dir().join(format!("hither-secret-{}", std::process::id()));
        let write = |text: &str| fs::write(&path, text).unwrap();
        let [old, new] = [Secret::random(), Secret::random()];
        write(&old.reveal());
        let files = [path.clone()];
        let secrets = read_secrets(&files).unwrap();
        let trust = Trust::Secrets(secrets.clone());
        let _following = follow_secrets(&trust, &files).unwrap().unwrap();

        write("hunter2");
        tokio::time::sleep(EVERY * 2).await;
        assert_eq!(secrets, old.clone().into());

        write(&format!("{}\n{}\n", new.reveal(), old.reveal()));
        let both = Secrets::new([new, old]).unwrap();
        until("the new secrets", || secrets == both).await;
        fs::remove_file(&path).unwrap();
    }
}
