//! Addresses at which clients come in.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted. More than come while the node is busy for a moment; the kernel caps it.
const BACKLOG: i32 = 4096;

/// Whether other nodes may listen at the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// The address is this node's own.
    Own,
    /// The kernel scatters connections over all nodes that listen there.
    Shared,
}

/// An address that this node has taken. Nobody comes in before it is [opened](Self::open).
#[derive(Debug)]
pub(crate) struct Door {
    socket: Socket,
    address: SocketAddr,
    flag: &'static str,
}

/// An address that this node cannot have.
#[derive(Debug, thiserror::Error)]
#[error("{flag} {address}: {}", remedy(source, flag))]
pub(crate) struct DoorError {
    flag: &'static str,
    address: SocketAddr,
    source: io::Error,
}

impl DoorError {
    /// An address that could not be taken, and the flag that asked for it.
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
        io::ErrorKind::AddrInUse if flag == Sharing::Shared.flag() => {
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

impl Sharing {
    fn flag(self) -> &'static str {
        match self {
            Self::Own => "--http",
            Self::Shared => "--front",
        }
    }
}

impl Door {
    /// Takes an address. With port 0 it is given a free one.
    pub(crate) fn take(address: SocketAddr, sharing: Sharing) -> Result<Self, DoorError> {
        let flag = sharing.flag();
        bind(address, sharing)
            .and_then(|socket| {
                let address = socket.local_addr()?.as_socket().unwrap_or(address);
                Ok(Self {
                    socket,
                    address,
                    flag,
                })
            })
            .map_err(|source| DoorError::new(flag, address, source))
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets connections come in.
    pub(crate) fn open(self) -> Result<TcpListener, DoorError> {
        let Self {
            socket,
            address,
            flag,
        } = self;
        let listen = || {
            socket.listen(BACKLOG)?;
            TcpListener::from_std(StdListener::from(socket))
        };
        listen().map_err(|source| DoorError::new(flag, address, source))
    }
}

fn bind(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Connections of an earlier life that the kernel still remembers do not hold the address.
    socket.set_reuse_address(true)?;
    if sharing == Sharing::Shared {
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
        let first = Door::take(anywhere(), Sharing::Own).unwrap();
        let address = first.address();
        let _listening = first.open().unwrap();
        for (sharing, flag) in [(Sharing::Own, "--http"), (Sharing::Shared, "--front")] {
            let error = Door::take(address, sharing).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{flag} {address}: ")), "{error}");
            assert!(error.contains("choose another port"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_front_is_shared() {
        let first = Door::take(anywhere(), Sharing::Shared).unwrap();
        let second = Door::take(first.address(), Sharing::Shared).unwrap();
        assert_eq!(first.address(), second.address());
        let (_first, _second) = (first.open().unwrap(), second.open().unwrap());
    }

    #[tokio::test]
    async fn nobody_comes_in_before_a_door_is_open() {
        let door = Door::take(anywhere(), Sharing::Shared).unwrap();
        let address = door.address();
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
        let listener = door.open().unwrap();
        let (came, accepted) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
        assert!(came.is_ok() && accepted.is_ok());
    }

    #[test]
    fn an_address_of_another_machine_is_told() {
        // An address for documentation, which no machine has (RFC 5737).
        let error = Door::take("192.0.2.1:9001".parse().unwrap(), Sharing::Own)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "--http 192.0.2.1:9001: this machine does not have that address"
        );
    }
}
