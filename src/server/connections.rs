//! The connections to one server: those that the calls of a job share, those of one call alone, and those that are made early.

use std::sync::{Mutex, PoisonError};

use url::Url;

use super::call::Repeat;
use super::connect::{self, ClientError};
use super::early::{self, EarlyConnections, Places};
use super::proxy::Proxy;
use super::settings::Settings;
use super::versions::HttpVersions;

/// The connections to one server.
pub(super) struct Connections {
    tls: rustls::ClientConfig,
    base: Url,
    versions: HttpVersions,
    proxy: Option<Proxy>,
    shows_certificate: bool,
    /// `None` between [`Connections::close`] and the next call.
    shared: Mutex<Option<reqwest::Client>>,
    /// What the first calls go over.
    early: EarlyConnections,
}

impl Connections {
    /// None is open yet. Which versions of HTTP are offered is set anew for each client.
    pub(super) fn new(tls: &rustls::ClientConfig, settings: &Settings) -> Result<Self, ClientError> {
        let connections = Self {
            tls: tls.clone(),
            base: settings.url.clone(),
            versions: settings.http_versions.clone(),
            proxy: settings.proxy.clone(),
            shows_certificate: settings.auth.is_bound_to_tls(),
            shared: Mutex::default(),
            early: EarlyConnections::default(),
        };
        connections.shared()?;
        Ok(connections)
    }

    /// Forgets them; the next call opens a new one. What a connection has read stays in its buffers until the runtime that drives it
    /// lets go of it.
    pub(super) fn close(&self) {
        drop(self.shared.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.early.close();
    }

    /// Those for a call. One that changes the server gets a connection of its own, which ends with it: an idle one that the server closes
    /// at that moment would leave it in doubt, and only on one that was used before do libraries send a request again by themselves.
    pub(super) fn for_call(&self, repeat: Repeat) -> Result<reqwest::Client, ClientError> {
        if repeat == Repeat::Never { self.own() } else { self.shared() }
    }

    /// Those of one call alone.
    pub(super) fn own(&self) -> Result<reqwest::Client, ClientError> {
        Ok(self.builder()?.build()?)
    }

    fn shared(&self) -> Result<reqwest::Client, ClientError> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shared {
            Some(client) => Ok(client.clone()),
            None => Ok(shared.insert(self.builder()?.connector_layer(self.early.clone()).build()?).clone()),
        }
    }

    /// Makes the connections that the first calls need, up to TLS: no request is sent. What goes wrong is told by the call that comes to
    /// it.
    pub(super) fn make_early(&self) -> impl Future<Output = ()> + Send + use<> {
        let (base, early, places) = (self.base.clone(), self.early.clone(), Places::default());
        let client = self.builder().and_then(|builder| Ok(builder.connector_layer(places.clone()).build()?)).ok();
        // Two calls at the same time need two connections of HTTP/1.1.
        let needs_two = !self.versions.offers_2() || base.scheme() != "https";
        if client.is_some() {
            early.await_from(&places, if needs_two { 2 } else { 1 });
        }
        async move {
            let Some(client) = client else { return };
            let one = || client.get(base.clone()).send();
            if needs_two {
                let _ = tokio::join!(one(), one());
            } else if one().await.is_err_and(|ended| early::needs_another(&ended)) {
                early.await_from(&places, 1);
                let _ = one().await;
            }
        }
    }

    fn builder(&self) -> Result<reqwest::ClientBuilder, ClientError> {
        let is_plain = self.base.scheme() == "http";
        connect::builder(&self.tls, self.versions.offered(), is_plain, self.proxy.as_ref(), self.shows_certificate)
    }
}
