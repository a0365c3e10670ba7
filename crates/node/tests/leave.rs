//! `hither leave` and a node, as processes.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, UdpSocket},
    process::{Child, Command, Output, Stdio},
};

const SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const OTHER_SECRET: &str = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

/// A node that runs, and is killed if a test fails.
struct Node {
    process: Child,
    url: String,
}

impl Node {
    /// Waits until it says where operators are served.
    fn start() -> Self {
        let mut process = hither()
            .args(["node", "--name", "node1", "--http", "127.0.0.1:0", "--cluster"])
            .arg(format!("127.0.0.1:{}", free_port()))
            .env("HITHER_SECRET", SECRET)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("operators are served at ")?.1.to_owned()))
            .unwrap();
        // A node whose log nobody reads would wait for ever.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url }
    }

    fn ask_to_leave(&self, secret: &str) -> Output {
        hither()
            .args(["leave", "--node", &self.url])
            .env("HITHER_SECRET", secret)
            .output()
            .unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn hither() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hither"));
    // Where its store may lie.
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Free for TCP and UDP alike.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address.port();
        }
    }
}

#[test]
fn a_node_leaves_for_who_knows_the_secret_and_for_nobody_else() {
    let mut node = Node::start();

    let refused = node.ask_to_leave(OTHER_SECRET);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&refused.stderr),
        "error: node1 stays: the leave token was made with another secret, or for another node\n"
    );
    assert!(node.process.try_wait().unwrap().is_none());

    let granted = node.ask_to_leave(SECRET);
    assert_eq!(String::from_utf8_lossy(&granted.stdout), "node1 leaves\n");
    assert_eq!(granted.status.code(), Some(0));
    assert_eq!(node.process.wait().unwrap().code(), Some(0));

    let late = node.ask_to_leave(SECRET);
    assert_eq!(late.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&late.stderr).contains("cannot be reached"));
}
