//! A node as the tests see it: a process that takes orders and tells what happens. Each is the test binary, executed again.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Far beyond what anything here takes; a test that waits that long has failed.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running node. It is killed when dropped.
pub(crate) struct Process {
    name: String,
    process: Child,
    stdin: ChildStdin,
    told: Arc<Told>,
}

/// What a node has told so far.
#[derive(Default)]
struct Told {
    seen: Mutex<Seen>,
    more: Condvar,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// The lines that it wrote with [`tell`].
    pub(crate) said: Vec<String>,
    pub(crate) log: Vec<String>,
    pub(crate) ended: bool,
}

/// Says something to the test. For nodes.
pub(crate) fn tell(line: &str) {
    println!("\n> {line}");
}

/// Runs a node if this process was [started](Process::start) as one, with the settings that it was given.
pub(crate) fn run_if_asked<F: Future<Output = ()>>(variable: &str, run: impl FnOnce(String) -> F) {
    let Ok(settings) = env::var(variable) else {
        return;
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(settings));
}

impl Process {
    /// Runs the test `node` of this test binary, with settings in an environment variable.
    pub(crate) fn start(name: &str, variable: &str, settings: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "node", "--nocapture", "--test-threads", "1"])
            .env(variable, settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = Arc::new(Told::default());
        let stdin = process.stdin.take().unwrap();
        told.read(process.stdout.take().unwrap(), |seen, line| {
            seen.said.extend(line.strip_prefix("> ").map(str::to_owned));
        });
        told.read(process.stderr.take().unwrap(), |seen, line| seen.log.push(line));
        Self {
            name: name.to_owned(),
            process,
            stdin,
            told,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn order(&self, order: &str) {
        writeln!(&self.stdin, "{order}").unwrap();
    }

    pub(crate) fn seen(&self) -> Seen {
        self.told.lock().clone()
    }

    /// Waits until what the node has told meets a condition.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = self.told.lock();
        while !condition(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !seen.ended, "{}: waited for {what}", self.name);
            seen = self.told.more.wait_timeout(seen, left).unwrap().0;
        }
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
    }

    pub(crate) fn stop(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- {}\n{}", self.name, self.told.lock().tail());
        }
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        // A failed expectation panics with the lock in hand.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(
        self: &Arc<Self>,
        from: impl Read + Send + 'static,
        take: impl Fn(&mut Seen, String) + Send + 'static,
    ) {
        let told = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                take(&mut told.lock(), line);
                told.more.notify_all();
            }
            told.lock().ended = true;
            told.more.notify_all();
        });
    }
}

impl Seen {
    /// Whether it has said something that begins so.
    pub(crate) fn said(&self, beginning: &str) -> bool {
        self.said.iter().any(|line| line.starts_with(beginning))
    }

    fn tail(&self) -> String {
        let tail = |lines: &[String]| lines[lines.len().saturating_sub(30)..].join("\n");
        format!(
            "--- it said\n{}\n--- it logged\n{}",
            tail(&self.said),
            tail(&self.log)
        )
    }
}

/// An address of loopback that is free for gossip and links alike, and likely stays so until a node has it.
///
/// Ports that the kernel hands out are no good: it may hand one out again, for a connection of another test.
pub(crate) fn free_address() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    const PORTS: std::ops::Range<u16> = 10_000..32_000;
    // Tests that run at the same time begin far apart.
    let begin = std::process::id().wrapping_mul(397);
    loop {
        let offset = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed).into());
        let port = PORTS.start + (offset % u32::from(PORTS.end - PORTS.start)) as u16;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
