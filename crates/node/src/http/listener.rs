//! The addresses that a node listens at, for clients and for operators.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
};

use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted. More than come while the node is busy for a moment; the kernel caps it.
const BACKLOG: i32 = 4096;

/// Whom an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Clients of this node.
    Clients,
    /// Clients of any node of this machine: the kernel scatters connections over all that listen there.
    SharedClients,
    /// Operators.
    Operators,
}

/// An address that this node has bound. Connections are refused until it [listens](Self::listen).
#[derive(Debug)]
pub(crate) struct BoundListener {
    socket: Socket,
    address: SocketAddr,
    flag: &'static str,
}

/// An address that this node cannot listen at.
#[derive(Debug, thiserror::Error)]
#[error("{flag} {address}: {}", remedy(source, flag))]
pub(crate) struct ListenError {
    flag: &'static str,
    address: SocketAddr,
    source: io::Error,
}

impl ListenError {
    /// An address that could not be bound, and the flag that asked for it.
    pub(crate) fn new(flag: &'static str, address: SocketAddr, source: io::Error) -> Self {
        Self {
            flag,
            address,
            source,
        }
    }
}

fn remedy(error: &io::Error, flag: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse if flag == Audience::SharedClients.flag() => {
            "a program that does not share the port listens there: end it, or choose another port".to_owned()
        }
        io::ErrorKind::AddrInUse => {
            "another program listens there: end it, or choose another port".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "not permitted; ports below 1024 take privileges (CAP_NET_BIND_SERVICE)".to_owned()
        }
        _ => error.to_string(),
    }
}

impl Audience {
    fn flag(self) -> &'static str {
        match self {
            Self::Clients => "--http",
            Self::SharedClients => "--front",
            Self::Operators => "--admin",
        }
    }
}

impl BoundListener {
    /// Binds an address; port 0 stands for a free one.
    pub(crate) fn bind(address: SocketAddr, audience: Audience) -> Result<Self, ListenError> {
        let flag = audience.flag();
        open_socket(address, audience)
            .and_then(|socket| {
                let address = socket.local_addr()?.as_socket().unwrap_or(address);
                Ok(Self {
                    socket,
                    address,
                    flag,
                })
            })
            .map_err(|source| ListenError::new(flag, address, source))
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to listen.
    pub(crate) fn listen(self) -> Result<TcpListener, ListenError> {
        let Self {
            socket,
            address,
            flag,
        } = self;
        let listen = || {
            socket.listen(BACKLOG)?;
            TcpListener::from_std(StdListener::from(socket))
        };
        listen().map_err(|source| ListenError::new(flag, address, source))
    }
}

/// Has the kernel drop whoever begins to connect from now on, while handshakes under way still complete.
///
/// A listener that closes resets what it has not accepted, and a handshake can complete between the last look and the close.
/// Who is dropped instead tries again a second later (RFC 6298, 2.1), and comes to another node or is refused then; for either
/// a balancer asks another node, since nothing of the request was sent.
///
/// # Errors
/// When the kernel has no such filters.
pub(super) fn drop_newcomers(listener: &TcpListener) -> io::Result<()> {
    // The program sees the segment from its TCP header on: a SYN has its flag in byte 13. The opcodes are those of
    // linux/bpf_common.h: load a byte, jump if one of the bits is set, return how much of the segment to keep.
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

fn open_socket(address: SocketAddr, audience: Audience) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Connections of an earlier life that the kernel still remembers do not hold the address.
    socket.set_reuse_address(true)?;
    if audience == Audience::SharedClients {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anywhere() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[tokio::test]
    async fn an_address_in_use_is_told_with_its_flag() {
        let first = BoundListener::bind(anywhere(), Audience::Clients).unwrap();
        let address = first.address();
        let _listening = first.listen().unwrap();
        for (audience, flag) in [
            (Audience::Clients, "--http"),
            (Audience::SharedClients, "--front"),
            (Audience::Operators, "--admin"),
        ] {
            let error = BoundListener::bind(address, audience).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{flag} {address}: ")), "{error}");
            assert!(error.contains("choose another port"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_front_is_shared() {
        let first = BoundListener::bind(anywhere(), Audience::SharedClients).unwrap();
        let second = BoundListener::bind(first.address(), Audience::SharedClients).unwrap();
        assert_eq!(first.address(), second.address());
        let (_first, _second) = (first.listen().unwrap(), second.listen().unwrap());
    }

    #[tokio::test]
    async fn connections_are_refused_before_it_listens() {
        let bound = BoundListener::bind(anywhere(), Audience::SharedClients).unwrap();
        let address = bound.address();
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
        let listener = bound.listen().unwrap();
        let (came, accepted) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
        assert!(came.is_ok() && accepted.is_ok());
    }

    #[tokio::test]
    async fn newcomers_can_be_dropped_and_are_refused_when_the_listener_is_closed() {
        let bound = BoundListener::bind(anywhere(), Audience::Clients).unwrap();
        let address = bound.address();
        let listener = bound.listen().unwrap();
        let waiting = tokio::net::TcpStream::connect(address).await.unwrap();
        drop_newcomers(&listener).unwrap();
        let mut newcomer = tokio::spawn(tokio::net::TcpStream::connect(address));
        let pause = std::time::Duration::from_millis(200);
        assert!(tokio::time::timeout(pause, &mut newcomer).await.is_err());
        let (accepted, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, waiting.local_addr().unwrap());
        accepted.try_write(b"x").unwrap();
        waiting.readable().await.unwrap();
        assert_eq!(waiting.try_read(&mut [0; 2]).unwrap(), 1);
        drop(listener);
        let error = newcomer.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn an_address_of_another_machine_is_told() {
        // An address for documentation, which no machine has (RFC 5737).
        let error = BoundListener::bind("192.0.2.1:9001".parse().unwrap(), Audience::Clients)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "--http 192.0.2.1:9001: this machine does not have that address"
        );
    }
}
