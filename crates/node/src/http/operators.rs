//! Which address serves what: operators have one of their own.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware,
    response::{Redirect, Response},
    routing::get,
};
use hither::{Io, StatusReader};
use tokio_util::sync::CancellationToken;

use super::{
    cluster_status::cluster_status,
    feed::feed,
    health::{Readiness, health, status},
    host::{self, HostNames},
    leave::leave,
    pages::cluster_page,
};
use crate::{cluster_feed::ClusterFeed, settings::Trust};

/// What a node serves besides its sessions and the site's pages.
pub(crate) struct Operators {
    pub(crate) status: StatusReader,
    pub(crate) io: Io,
    pub(crate) cluster_feed: ClusterFeed,
    pub(crate) readiness: Readiness,
}

impl Operators {
    /// For clients and balancers: `/health`, and if `open`, all that tells of the cluster. Its feeds end when the node
    /// leaves.
    pub(crate) fn public(&self, open: bool) -> Router {
        let health = health(self.status.clone(), self.readiness.clone());
        if !open {
            return health;
        }
        health
            .layer(middleware::map_response(link_to_cluster_page))
            .merge(self.cluster(true, self.readiness.leaving().clone()))
    }

    /// For operators, who know the node by `names`: all there is; `POST /leave` cancels `asked_to_leave`. Its feeds end with
    /// `end`.
    pub(crate) fn admin(
        &self,
        names: HostNames,
        trust: Trust,
        asked_to_leave: CancellationToken,
        end: CancellationToken,
    ) -> Router {
        health(self.status.clone(), self.readiness.clone())
            .merge(self.cluster(false, end))
            .merge(leave(trust, self.status.clone(), asked_to_leave))
            .route("/", get(Redirect::to("/cluster")))
            .layer(middleware::from_fn_with_state(names, host::check))
    }

    fn cluster(&self, public: bool, end: CancellationToken) -> Router {
        status(self.status.clone())
            .merge(cluster_status(self.io.clone()))
            .merge(feed(self.cluster_feed.clone(), public, end))
            .merge(cluster_page())
    }
}

/// So that pages know that the cluster page is here (RFC 8631, 4.4).
async fn link_to_cluster_page(answer: Response) -> ([(HeaderName, HeaderValue); 1], Response) {
    let link = HeaderValue::from_static("</cluster>; rel=\"status\"");
    ([(header::LINK, link)], answer)
}
