//! A node whose log nobody reads.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Kills the node when the test ends.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already, if it has.
        drop(self.0.kill());
        drop(self.0.wait());
    }
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
fn a_log_that_nobody_reads_stops_nothing() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_hither"))
        .args(["node", "--name", "node1", "--http", "127.0.0.1:0", "--cluster"])
        .arg(format!("127.0.0.1:{}", free_port()))
        // Where its store may lie.
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap());
    let _node = Node(process);
    let address = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "the node has ended");
        if let Some((_, address)) = line.trim_end().split_once("clients are served at http://") {
            break address.to_owned();
        }
    };
    // A pipe holds 64 KiB, and each of these is logged in a line of a hundred bytes or more.
    for number in 0..1500 {
        let mut client = TcpStream::connect(&address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client
            .write_all(
                b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            )
            .unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 "),
            "request {number}: no answer: {answer:?}"
        );
    }
    // What had no room in the pipe waits, and comes when somebody reads it.
    let opened = log
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.contains("connection by polling"));
    assert_eq!(opened.take(1500).count(), 1500);
}
