//! What a node serves.

use std::{error::Error, pin::Pin};

use axum::Router;
use hither::{Io, ServerBuilder};
use tokio_util::sync::CancellationToken;

/// What a node serves to clients, besides `/health`; with `--public-status`, also besides `/status`, `/cluster`, and `/assets/`
/// and `/favicon.svg` for it.
pub struct Site {
    pub(crate) server: ServerBuilder,
    pub(crate) pages: Router,
    pub(crate) background: Option<Background>,
}

/// Why a [`Site`] cannot be.
pub type SiteError = Box<dyn Error + Send + Sync>;

pub(crate) type Background = Box<dyn FnOnce(Io, CancellationToken) -> Task + Send>;
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Site {
    /// A server with its namespaces, and nothing else.
    pub fn new(server: ServerBuilder) -> Self {
        Self {
            server,
            pages: Router::new(),
            background: None,
        }
    }

    /// Serves these as well, such as the web client's [`pages`](crate::pages).
    #[must_use]
    pub fn pages(mut self, pages: Router) -> Self {
        self.pages = pages;
        self
    }

    /// Runs this beside the server, from its start until the token is cancelled when the server has left. It then ends by
    /// itself, and is waited for.
    #[must_use]
    pub fn background<Work: Future<Output = ()> + Send + 'static>(
        mut self,
        work: impl FnOnce(Io, CancellationToken) -> Work + Send + 'static,
    ) -> Self {
        self.background = Some(Box::new(move |io, stop| Box::pin(work(io, stop))));
        self
    }
}
