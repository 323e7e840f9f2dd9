//! Metrics for Prometheus, in the OpenMetrics text format at `/metrics`, for this machine alone.
//!
//! One thread follows the agent's events and counts; another serves, and sleeps until somebody asks. The HTTP is hyper's. The
//! connections are few and short, so that no user of this machine can take the agent's descriptors from it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use super::mailbox::MailboxSender;
use super::report::{Event, EventKind, Phase, ReaderReport};
use super::settings::MetricsAddress;
use crate::os::account::{Account, Group};
use crate::os::endpoint::{Endpoint, EndpointError};

/// How many connections are served at once; others wait in the system's queue.
const MAX_CONNECTIONS: usize = 8;

/// How long a connection may take for question and answer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after a connection could not be taken: the cause (no free descriptor) does not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The exit codes of jobs that fail for good.
const EXITS: [u32; 10] = [2, 3, 4, 5, 6, 7, 8, 9, 10, 70];

/// The exit code that says that a card needs attention.
const ATTENTION: u8 = 9;

/// Why the metrics have no address.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The address can't be listened on.
    #[error("the metrics can't be served on {address}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The socket can't be made.
    #[error("the metrics can't be served")]
    Socket(#[source] EndpointError),
}

/// A server that listens; nobody is answered before [`MetricsServer::serve`].
#[derive(Debug)]
pub struct MetricsServer(Listener);

#[derive(Debug)]
enum Listener {
    Loopback(TcpListener),
    Socket(Endpoint),
}

impl MetricsServer {
    /// Listens; a socket is for members of `group`, like the control socket, and handed to `owner`.
    ///
    /// # Errors
    /// The address is taken, or the system refuses.
    pub fn open(address: &MetricsAddress, group: Option<Group>, owner: Option<&Account>) -> Result<Self, MetricsError> {
        match address {
            MetricsAddress::Loopback(address) => TcpListener::bind(address)
                .map(|listener| Self(Listener::Loopback(listener)))
                .map_err(|source| MetricsError::Address { address: *address, source }),
            MetricsAddress::Socket(path) => Endpoint::open(path, group, owner)
                .map(|endpoint| Self(Listener::Socket(endpoint)))
                .map_err(MetricsError::Socket),
        }
    }

    /// Counts and serves from now on, until the process ends.
    ///
    /// # Errors
    /// No thread or runtime is to be had.
    pub fn serve(self, agent: &MailboxSender) -> io::Result<()> {
        let metrics = Arc::new(Metrics::new());
        let (counted, agent) = (Arc::clone(&metrics), agent.clone());
        // Followed before the loop begins: its first event is the first one counted.
        let mut following = agent.follow();
        let count = move || {
            let mut is_stopping = false;
            while let Ok(events) = following {
                let mut told = 0;
                for event in events {
                    counted.count(&event);
                    is_stopping |= event.event == EventKind::Stopping;
                    told += 1;
                }
                if is_stopping {
                    return;
                }
                if told == 0 {
                    return tracing::warn!("the metrics stand still: the agent tells no events");
                }
                // The loop drops a follower that lags; what is counted stays, and the events are followed anew.
                following = agent.follow();
            }
        };
        thread::Builder::new().name("metrics-count".to_owned()).spawn(count)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let serve = move || {
            if let Err(error) = runtime.block_on(serve(self.0, &metrics)) {
                tracing::error!("the metrics are not served any more: {error}");
            }
        };
        thread::Builder::new().name("metrics".to_owned()).spawn(serve)?;
        Ok(())
    }
}

async fn serve(listener: Listener, metrics: &Arc<Metrics>) -> io::Result<()> {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    match listener {
        Listener::Loopback(listener) => {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let taken = listener.accept().await.map(|(stream, _)| stream);
                serve_connection(taken, &connections, metrics).await;
            }
        }
        Listener::Socket(endpoint) => {
            let endpoint = endpoint.into_async()?;
            loop {
                serve_connection(endpoint.accept().await, &connections, metrics).await;
            }
        }
    }
}

/// Answers one connection in a task of its own; comes back once the next may be taken.
async fn serve_connection<S>(taken: io::Result<S>, connections: &Arc<Semaphore>, metrics: &Arc<Metrics>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match (taken, Arc::clone(connections).acquire_owned().await) {
        (Ok(stream), Ok(permit)) => {
            let metrics = Arc::clone(metrics);
            tokio::spawn(async move {
                let answer = service_fn(|request| {
                    let response = metrics.answer(&request);
                    async { Ok::<_, Infallible>(response) }
                });
                let mut server = http1::Builder::new();
                let talk = server.keep_alive(false).serve_connection(TokioIo::new(stream), answer);
                if !matches!(tokio::time::timeout(CONNECTION_TIMEOUT, talk).await, Ok(Ok(()))) {
                    tracing::debug!("somebody asked for the metrics and did not take them");
                }
                drop(permit);
            });
        }
        (Err(error), _) => {
            tracing::warn!("a connection for the metrics can't be taken: {error}");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
        (Ok(_), Err(_)) => {}
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExitLabel {
    exit: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: String,
}

struct Metrics {
    registry: Registry,
    insertions: Counter,
    provisioned: Counter,
    failures: Family<ExitLabel, Counter>,
    attention: Counter,
    server_failures: Counter,
    service_losses: Counter,
    jobs: Histogram,
    readers: Family<PhaseLabel, Gauge>,
    silence: Gauge,
    state: Mutex<State>,
}

struct State {
    last_event: Instant,
    /// Insertion and phase of each reader.
    readers: BTreeMap<String, (u64, Phase)>,
    /// Since when each reader's job runs.
    begun: BTreeMap<String, Instant>,
}

impl Metrics {
    fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("pinwright_agent"),
            insertions: Counter::default(),
            provisioned: Counter::default(),
            failures: Family::default(),
            attention: Counter::default(),
            server_failures: Counter::default(),
            service_losses: Counter::default(),
            jobs: Histogram::new(exponential_buckets(0.05, 2.0, 14)),
            readers: Family::default(),
            silence: Gauge::default(),
            state: Mutex::new(State { last_event: Instant::now(), readers: BTreeMap::new(), begun: BTreeMap::new() }),
        };
        let registry = &mut metrics.registry;
        registry.register("insertions", "Cards inserted", metrics.insertions.clone());
        registry.register("provisioned", "PINs set and verified", metrics.provisioned.clone());
        registry.register("failures", "Jobs that failed for good, by exit code", metrics.failures.clone());
        registry.register("attention", "Jobs whose card needs attention (exit code 9)", metrics.attention.clone());
        registry.register("server_failures", "Times that the server was found down", metrics.server_failures.clone());
        registry.register("service_losses", "Times that the PC/SC service was lost", metrics.service_losses.clone());
        registry.register_with_unit(
            "job_duration",
            "How long jobs took, the time of a person at a pinentry included",
            Unit::Seconds,
            metrics.jobs.clone(),
        );
        let version = ("version", env!("CARGO_PKG_VERSION"));
        registry.register("build", "The agent's version", Info::new(vec![version]));
        registry.register("readers", "Readers by what they are doing", metrics.readers.clone());
        registry.register("silence_seconds", "Seconds since the last event", metrics.silence.clone());
        // A series that appears with the first failure tells no rate of it.
        for exit in EXITS {
            drop(metrics.failures.get_or_create(&ExitLabel { exit }));
        }
        for phase in Phase::ALL {
            drop(metrics.readers.get_or_create(&PhaseLabel { phase: phase.name().to_owned() }));
        }
        metrics
    }

    fn count(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last_event = Instant::now();
        match event.event {
            EventKind::Inserted => drop(self.insertions.inc()),
            EventKind::ServerDown => drop(self.server_failures.inc()),
            EventKind::ServiceLost => drop(self.service_losses.inc()),
            _ => {}
        }
        let Some(reader) = &event.reader else { return };
        self.time(event.event, reader, &mut state);
        let now = (reader.insertion, reader.phase);
        let before = match event.event {
            EventKind::ReaderRemoved => state.readers.remove(&reader.reader),
            _ => state.readers.insert(reader.reader.clone(), now),
        };
        for (reader, change) in before.iter().map(|(_, phase)| (*phase, -1)).chain(match event.event {
            EventKind::ReaderRemoved => None,
            _ => Some((reader.phase, 1)),
        }) {
            self.readers.get_or_create(&PhaseLabel { phase: reader.name().to_owned() }).inc_by(change);
        }
        // The end of a job is told once for each insertion; what follows repeats the phase.
        if before == Some(now) {
            return;
        }
        match reader.phase {
            Phase::Done => drop(self.provisioned.inc()),
            Phase::Failed => {
                let exit = reader.exit.unwrap_or_default();
                self.failures.get_or_create(&ExitLabel { exit: exit.into() }).inc();
                if exit == ATTENTION {
                    self.attention.inc();
                }
            }
            _ => {}
        }
    }

    /// Takes the time from the first word of a job to its end.
    fn time(&self, what: EventKind, reader: &ReaderReport, state: &mut State) {
        match (what, reader.phase) {
            (EventKind::Removed | EventKind::ReaderRemoved, _) => drop(state.begun.remove(&reader.reader)),
            (_, Phase::Working) => drop(state.begun.entry(reader.reader.clone()).or_insert(state.last_event)),
            // The job hangs, and has not ended.
            (EventKind::Phase, Phase::Stuck) if reader.exit.is_none() => {}
            (EventKind::Phase, _) => {
                let begun = state.begun.remove(&reader.reader);
                begun.into_iter().for_each(|begun| self.jobs.observe(begun.elapsed().as_secs_f64()));
            }
            _ => {}
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => match self.text() {
                Ok(text) => {
                    *response.body_mut() = Full::from(text);
                    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(OPEN_METRICS));
                }
                Err(error) => {
                    tracing::error!("the metrics can't be told: {error}");
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                }
            },
            (&Method::GET, _) => *response.status_mut() = StatusCode::NOT_FOUND,
            _ => *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED,
        }
        response
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        let silence = self.state.lock().unwrap_or_else(PoisonError::into_inner).last_event.elapsed();
        self.silence.set(i64::try_from(silence.as_secs()).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
