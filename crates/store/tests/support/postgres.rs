//! Servers of PostgreSQL, as Debian installs them, each on a port and with a data folder of its own.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use hither_store::StoreUrl;
use tempfile::TempDir;

/// A server, which is killed when it is dropped.
pub struct Postgres {
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl Postgres {
    /// A new one, with nothing in it.
    pub fn start() -> Self {
        let mut postgres = Self::prepared();
        let data = postgres.data();
        run(as_owner("initdb").arg("-D").arg(data).args([
            "-U",
            "hither",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]));
        postgres.restart();
        postgres
    }

    /// A streaming replica of another, which confirms what it has before that one does.
    pub fn replica_of(primary: &Self) -> Self {
        let mut replica = Self::prepared();
        let source = format!(
            "host=127.0.0.1 port={} user=hither application_name=replica",
            primary.port
        );
        let data = replica.data();
        run(as_owner("pg_basebackup")
            .arg("-D")
            .arg(data)
            .args(["-R", "-X", "stream", "-c", "fast", "-d", &source]));
        replica.restart();
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'replica'");
        primary.sql("SELECT pg_reload_conf()");
        replica
    }

    fn prepared() -> Self {
        let folder = tempfile::Builder::new().prefix("hither-pg-").tempdir().unwrap();
        if let Some(owner) = owner() {
            chown(folder.path(), Some(owner), None).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            folder,
            port,
            server: None,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it again after [`Postgres::kill`], and waits until it answers.
    pub fn restart(&mut self) {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = as_owner("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-h", "127.0.0.1"]);
        // What its processes have written survives their kill without being forced to the disk.
        command.args([
            "-c",
            "unix_socket_directories=",
            "-c",
            "max_connections=200",
            "-c",
            "fsync=off",
        ]);
        self.server = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let began = Instant::now();
        while !self.answers() {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "PostgreSQL does not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        self.psql("SELECT 1").output().unwrap().status.success()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn psql(&self, sql: &str) -> Command {
        let mut command = Command::new(program("psql"));
        command.args([
            "-h",
            "127.0.0.1",
            "-U",
            "hither",
            "-d",
            "postgres",
            "-X",
            "-A",
            "-t",
            "-p",
        ]);
        command.arg(self.port.to_string()).args(["-c", sql]);
        command
    }

    /// Runs a statement in the database `postgres`.
    pub fn sql(&self, sql: &str) -> String {
        let output = self.psql(sql).output().unwrap();
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {problem}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A new database.
    pub fn database(&self, name: &str) -> StoreUrl {
        self.sql(&format!("CREATE DATABASE \"{name}\""));
        StoreUrl::parse(&format!("postgres://hither@127.0.0.1:{}/{name}", self.port)).unwrap()
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills all its processes at once, as a power cut does, but for what the kernel holds.
    pub fn kill(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        // The server's own id stands in its file, since `runuser` is between.
        let pid = self.pid();
        if let Some(pid) = pid {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            signal("KILL", &pid);
            for child in children.split_whitespace() {
                signal("KILL", child);
            }
        }
        server.kill().ok();
        server.wait().ok();
    }

    fn pid(&self) -> Option<String> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        text.lines().next().map(str::to_owned)
    }

    /// Stops or continues all its processes.
    pub fn pause(&self, paused: bool) {
        let signal_name = if paused { "STOP" } else { "CONT" };
        let pid = self.pid().unwrap();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        for process in children.split_whitespace().chain([pid.as_str()]) {
            signal(signal_name, process);
        }
    }

    /// A replica takes writes from now on.
    pub fn promote(&self) {
        self.sql("SELECT pg_promote()");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(signal: &str, pid: &str) {
    Command::new("kill")
        .arg(format!("-{signal}"))
        .arg(pid)
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

/// Who runs the server: not root, which it refuses.
fn owner() -> Option<u32> {
    if !is_root() {
        return None;
    }
    let output = Command::new("id").args(["-u", "postgres"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Some(
        text.trim()
            .parse()
            .expect("there is no user `postgres`: apt install postgresql"),
    )
}

/// In the PATH, or where Debian has it, the newest version.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .filter_map(|version| version.file_name().to_str()?.parse::<u32>().ok())
        .max();
    let debian = newest.map(|version| {
        Path::new("/usr/lib/postgresql")
            .join(version.to_string())
            .join("bin")
            .join(name)
    });
    debian.filter(|path| path.exists()).unwrap_or_else(|| name.into())
}

fn as_owner(name: &str) -> Command {
    let program = program(name);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .expect("PostgreSQL is not installed: apt install postgresql");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
