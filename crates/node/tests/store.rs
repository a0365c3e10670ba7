//! `hither store`, as a process.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hither-store-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn store(arguments: &[&str], url: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hither"));
    command.arg("store").args(arguments).args(["--store", url]);
    command.env_remove("HITHER_STORE_PASSWORD").output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn a_store_goes_out_and_in_again() {
    let folder = Folder::new("round");
    let (export, backup) = (folder.path("export"), folder.path("backup.db"));
    fs::write(&export, EXPORT).unwrap();
    let url = format!("sqlite:{}", folder.path("chat.db"));
    let imported = store(&["import", &export], &url);
    assert!(
        imported.status.success() && told(&imported).contains("2 rows"),
        "{}",
        told(&imported)
    );
    let checked = store(&["check"], &url);
    assert!(
        told(&checked).contains("1 persons, 1 rooms, 0 messages; all is well"),
        "{}",
        told(&checked)
    );
    assert!(store(&["backup", &backup], &url).status.success());
    let again = folder.path("again");
    assert!(
        store(&["export", &again], &format!("sqlite:{backup}"))
            .status
            .success()
    );
    assert_eq!(fs::read_to_string(again).unwrap(), EXPORT);
    // Nothing is written over.
    for action in ["backup", "export"] {
        let refused = store(&[action, &backup], &url);
        assert_eq!(refused.status.code(), Some(1), "{}", told(&refused));
    }
    let refused = store(&["import", &export], &url);
    assert!(
        told(&refused).contains("import into a new one"),
        "{}",
        told(&refused)
    );
}

const EXPORT: &str = r#"{"hither store":1}
{"row":{"created":1,"folded":"ana","id":1,"kind":"member","look":"ana","look_as_written":"ana","name":"Ana","password":"x"},"table":"persons"}
{"row":{"created":1,"first_number":1,"folded":"lobby","full_at":0,"id":2,"kind":"public","last_change":0,"last_number":0,"last_time":0,"look":"lobby","look_as_written":"lobby","name":"lobby","topic":""},"table":"rooms"}
"#;

#[test]
fn what_is_wrong_is_said_without_the_password() {
    let folder = Folder::new("wrong");
    let missing = folder.path("none.db");
    let refused = store(&["check"], &format!("sqlite:{missing}"));
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        told(&refused).contains("there is no store at sqlite:"),
        "{}",
        told(&refused)
    );
    assert!(fs::metadata(missing).is_err(), "it was made");
    for (url, right) in [
        ("postgres://u:s3cret@host:port/db", "cannot be read"),
        ("mysql://u:s3cret@host/db", "sqlite:PATH or postgres://"),
        (
            "postgres://u:s3cret@host/db?target_session_attrs=standby",
            "any or read-write",
        ),
    ] {
        let refused = store(&["check"], url);
        assert_eq!(refused.status.code(), Some(2), "{}", told(&refused));
        assert!(
            told(&refused).contains(right) && !told(&refused).contains("s3cret"),
            "{}",
            told(&refused)
        );
    }
    // Nobody listens there.
    let refused = store(&["check"], "postgres://u:s3cret@127.0.0.1:1/db");
    assert_eq!(refused.status.code(), Some(1));
    assert!(told(&refused).contains("postgres://127.0.0.1:1/db") && !told(&refused).contains("s3cret"));
}
