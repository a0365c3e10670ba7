//! Where operators come in.

use std::{num::NonZeroU32, time::Duration};

use axum::Router;
use hither::{AdmissionLimits, Gate};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    door::{Door, DoorError},
    reception::{OpenDoor, Reception},
};

/// Where operators come in, from the node's start to its end: they may look on while it leaves.
pub(crate) struct AdminDoor {
    reception: Reception,
    door: OpenDoor,
    /// Ends what has no end of its own.
    end: CancellationToken,
}

impl AdminDoor {
    /// Most connections at a time. They are none of the clients', so that a node which has no room for those can be asked how it is.
    const CONNECTIONS: u32 = 256;

    /// How long the last answers may take.
    const PATIENCE: Duration = Duration::from_millis(500);

    pub(crate) fn open(
        door: Door,
        router: impl FnOnce(CancellationToken) -> Router,
    ) -> Result<Self, DoorError> {
        let end = CancellationToken::new();
        let gate = Gate::new(&AdmissionLimits {
            connections: NonZeroU32::new(Self::CONNECTIONS),
            ..AdmissionLimits::default()
        });
        let reception = Reception::new(router(end.clone()), gate, None);
        let address = door.address();
        let door = reception.open(door)?;
        info!("operators are served at http://{address}");
        if !address.ip().is_loopback() {
            warn!("whoever reaches http://{address} can see how the cluster is: it is for operators only");
        }
        Ok(Self { reception, door, end })
    }

    pub(crate) async fn close(self) {
        self.door.close();
        self.end.cancel();
        if timeout(Self::PATIENCE, self.reception.end()).await.is_err() {
            debug!("some operator's connection ends with the node");
        }
    }
}
