//! The listener for operators.

use std::{num::NonZeroU32, time::Duration};

use axum::Router;
use hither::{AdmissionLimits, Gate};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    acceptor::{Acceptor, ActiveListener},
    listener::{BoundListener, ListenError},
};

/// Serves operators from the node's start to its end, also while it leaves.
pub(crate) struct AdminListener {
    acceptor: Acceptor,
    listener: ActiveListener,
    /// Ends what has no end of its own.
    end: CancellationToken,
}

impl AdminListener {
    /// Most connections at a time. They are none of the clients', so that a node which has no room for those can be asked how it is.
    const CONNECTIONS: u32 = 256;

    /// How long the last answers may take.
    const PATIENCE: Duration = Duration::from_millis(500);

    pub(crate) fn start(
        listener: BoundListener,
        router: impl FnOnce(CancellationToken) -> Router,
    ) -> Result<Self, ListenError> {
        let end = CancellationToken::new();
        let gate = Gate::new(&AdmissionLimits {
            connections: NonZeroU32::new(Self::CONNECTIONS),
            ..AdmissionLimits::default()
        });
        let acceptor = Acceptor::new(router(end.clone()), gate, None);
        let address = listener.address();
        let listener = acceptor.serve(listener)?;
        info!("operators are served at http://{address}");
        if !address.ip().is_loopback() {
            warn!(
                "the admin address http://{address} is reachable from other machines: restrict it to operators"
            );
        }
        Ok(Self {
            acceptor,
            listener,
            end,
        })
    }

    pub(crate) async fn close(self) {
        self.listener.close();
        self.end.cancel();
        if timeout(Self::PATIENCE, self.acceptor.end()).await.is_err() {
            debug!("connections of operators did not end in time; they are closed");
        }
    }
}
