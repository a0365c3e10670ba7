//! The first bytes on a connection, before the library's handshake: what it is, and the number of its life.
//!
//! They are not authenticated; the handshake that follows is.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::envelope::LifeId;

/// Tells links of this version from all else that may come to the port.
const MAGIC: [u8; 8] = *b"hither 1";

/// How long the hello may take to come.
pub(super) const HELLO_TIMEOUT: Duration = Duration::from_secs(2);

/// Announces the life that begins on a connection.
pub(super) async fn send(tcp: &mut TcpStream, life: LifeId) -> io::Result<()> {
    let mut hello = [0; 16];
    let (magic, number) = hello.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    number.copy_from_slice(&life.0.to_be_bytes());
    tcp.write_all(&hello).await
}

/// Reads which life begins on a connection.
pub(super) async fn receive(tcp: &mut TcpStream) -> io::Result<LifeId> {
    let mut magic = [0; MAGIC.len()];
    tcp.read_exact(&mut magic).await?;
    if magic != MAGIC {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "this is no link of a Hither node",
        ));
    }
    tcp.read_u64().await.map(LifeId)
}
