//! A relay for TCP that can go dead without closing anything, as a network does.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

pub(crate) struct Relay {
    address: SocketAddr,
    ice: Arc<Ice>,
}

/// While frozen, nothing moves.
#[derive(Default)]
struct Ice {
    calls: AtomicUsize,
    frozen: Mutex<bool>,
    thawed: Condvar,
    /// How long each piece of what the target says is held back.
    delay: Mutex<Duration>,
}

impl Relay {
    /// Relays each connection to the target.
    pub(crate) fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let ice = Arc::new(Ice::default());
        let shared = ice.clone();
        thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                shared.calls.fetch_add(1, Ordering::Relaxed);
                let ice = shared.clone();
                thread::spawn(move || ice.join(caller, target));
            }
        });
        Self { address, ice }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were opened so far, also while it was frozen.
    pub(crate) fn calls(&self) -> usize {
        self.ice.calls.load(Ordering::Relaxed)
    }

    /// Holds back each piece of what the target says for so long.
    pub(crate) fn delay_answers(&self, delay: Duration) {
        *self.ice.delay.lock().unwrap() = delay;
    }

    pub(crate) fn freeze(&self) {
        *self.ice.frozen.lock().unwrap() = true;
    }

    pub(crate) fn thaw(&self) {
        *self.ice.frozen.lock().unwrap() = false;
        self.ice.thawed.notify_all();
    }
}

impl Ice {
    fn wait(&self) {
        let frozen = self.frozen.lock().unwrap();
        drop(self.thawed.wait_while(frozen, |frozen| *frozen).unwrap());
    }

    fn join(self: Arc<Self>, caller: TcpStream, target: SocketAddr) {
        self.wait();
        let Ok(callee) = TcpStream::connect(target) else {
            return;
        };
        for (from, to, is_answer) in [(&caller, &callee, false), (&callee, &caller, true)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let ice = self.clone();
            thread::spawn(move || ice.copy(from, to, is_answer));
        }
    }

    /// Copies until either side closes, and then closes the other.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream, is_answer: bool) {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            self.wait();
            if is_answer {
                let delay = *self.delay.lock().unwrap();
                thread::sleep(delay);
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        self.wait();
        for side in [from, to] {
            side.shutdown(std::net::Shutdown::Both).ok();
        }
    }
}
