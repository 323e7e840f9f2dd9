//! A stand-in for the MIM CM REST API: TLS, the routes of its reference, strict about what callers send, with faults on demand.
//!
//! It follows Microsoft's public "Certificate Management REST API reference"; route docs name its pages. Where that reference
//! leaves room, a setting chooses. What a caller does wrong is answered like a server would (400, 401, 403) and kept in
//! [`StandIn::violations`], so that a test can insist on none.

mod authority;
mod body;
mod certificate_request;
mod changes;
mod fault;
mod issuing;
mod json;
mod json_body;
mod keys;
mod listen;
mod lists;
mod message;
mod query;
mod records;
mod reply;
mod routes;
mod rules;
mod secrets;
mod settings;
mod state;
mod tls;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

pub use fault::{Endpoint, Fault, FaultKind, Pattern};
pub use keys::{AdminKey, diversify, respond};
pub use records::{
    Card, Certificate, ENROLL, KeyOptions, RETIRE, Request, RequestStatus, Template, UNBLOCK, UserPinOption,
};
pub use rules::{Rule, Violation};
pub use settings::{
    CertificateForm, DataForm, Issues, OwnCertificate, PinMaker, Settings, TlsKind, UnknownId, UriForm,
};
pub use state::{SeenRequest, State};

/// Why a stand-in did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StandInError {
    /// The port is taken, or the thread or its runtime could not be made.
    #[error("the stand-in server cannot listen")]
    Io(#[from] std::io::Error),
    /// The certificates could not be made.
    #[error("the stand-in server cannot make its certificates")]
    Certificate(#[from] rcgen::Error),
    /// The TLS configuration was refused.
    #[error("the stand-in server cannot set up TLS")]
    Tls(#[from] rustls::Error),
}

/// A running server on a thread of its own; stops when dropped.
pub struct StandIn {
    state: Arc<State>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    base_url: String,
    ca_pem: String,
}

impl StandIn {
    /// Bind to 127.0.0.1, make the certificates and serve.
    ///
    /// # Errors
    /// When the port is taken or the certificates or the thread cannot be made.
    pub fn start(settings: Settings) -> Result<Self, StandInError> {
        let (ca_pem, config) = tls::prepare(&settings)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port))?;
        listener.set_nonblocking(true)?;
        let scheme = if config.is_some() { "https" } else { "http" };
        let port = listener.local_addr()?.port();
        let base_url = format!("{scheme}://localhost:{port}/{}", settings.folder);
        let state = Arc::new(State::new(settings));
        let stop = Arc::new(Notify::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let served = listen::serve(listener, config.map(TlsAcceptor::from), Arc::clone(&state), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("stand-in server".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(served);
            // Stalled calls never end by themselves.
            runtime.shutdown_timeout(Duration::from_millis(200));
        })?;
        Ok(Self { state, stop, thread: Some(thread), base_url, ca_pem })
    }

    /// `https://localhost:PORT/FOLDER`, as a client is configured.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// The authority to trust, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The data, to look at and to change.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The same, for who outlives this value.
    #[must_use]
    pub fn shared_state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// Every call so far.
    #[must_use]
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.state.requests()
    }

    /// Every rule broken so far.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.state.violations()
    }

    /// Arm a fault.
    pub fn inject(&self, fault: Fault) {
        self.state.inject(fault);
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // Nothing on that thread blocks, so this is short.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}
