//! What the fuzz targets reach of links.

#![allow(clippy::panic, reason = "so a fault is found")]

use std::{
    io,
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::{
    envelope::Envelope,
    hello::{Greeter, fuzzing::preface_and},
};
use crate::{
    member::{Incarnation, NodeId, NodeName},
    secret::{Secret, Secrets},
    version::WireVersions,
};

static GREETER: LazyLock<Greeter> = LazyLock::new(|| Greeter {
    me: NodeId {
        name: NodeName::default(),
        incarnation: Incarnation(1),
    },
    secrets: Secrets::from(Secret::well_known()),
    versions: WireVersions::this_build(),
});

/// Hears, and is answered, these bytes by somebody who knows no secret; and reads what somebody would say who knows it. Neither
/// may take a stranger for a node.
pub fn hello(bytes: &[u8]) {
    super::hello::fuzzing::messages(bytes);
    for said in [bytes.to_vec(), preface_and(bytes)] {
        let mut stream = scripted(&said);
        assert!(finish(GREETER.hear(&mut stream, || ())).is_err());
    }
}

/// Reads an envelope; what was read is written as it was.
pub fn link(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::decode(Bytes::copy_from_slice(bytes)) {
        assert_eq!(envelope.encode(), bytes);
    }
}

/// A stream that says this and then ends, and takes all.
fn scripted(bytes: &[u8]) -> tokio::io::Join<io::Cursor<Vec<u8>>, tokio::io::Sink> {
    tokio::io::join(io::Cursor::new(bytes.to_vec()), tokio::io::sink())
}

/// Such a stream never lets anybody wait.
fn finish<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits for a stream that has ended"),
    }
}
