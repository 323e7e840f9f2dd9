//! Connections: accept, TLS, HTTP, and the means to end one at any point.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::body::Script;
use super::fault::{Delivery, Outgoing, spoil, whole};
use super::routes::Call;
use super::state::{SeenRequest, State};

/// Accept connections until `stop` is notified.
pub(super) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>, stop: Arc<Notify>) {
    until(&stop, async {
        for connection in 0.. {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors, most likely: give the open connections a chance to end.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            };
            // Small answers must not wait for more to come.
            let _ = stream.set_nodelay(true);
            let (tls, state) = (tls.clone(), Arc::clone(&state));
            tokio::spawn(async move {
                match tls {
                    None => speak(stream, connection, state).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => speak(stream, connection, state).await,
                        Err(error) => tracing::debug!(connection, %error, "TLS handshake failed"),
                    },
                }
            });
        }
    })
    .await;
}

/// Run `work` until it is done or `stop` is notified.
async fn until(stop: &Notify, work: impl Future<Output = ()>) {
    let (mut stop, mut work) = (pin!(stop.notified()), pin!(work));
    poll_fn(|cx| match stop.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => work.as_mut().poll(cx),
    })
    .await;
}

async fn speak<S>(stream: S, connection: usize, state: Arc<State>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    state.connected();
    let cut = Arc::new(Notify::new());
    let service = service_fn({
        let (state, cut) = (Arc::clone(&state), Arc::clone(&cut));
        move |request| respond(request, connection, Arc::clone(&state), Arc::clone(&cut))
    });
    let builder = Builder::new(TokioExecutor::new());
    let served = builder.serve_connection(TokioIo::new(stream), service);
    // Dropping the connection closes the socket without a word of TLS or HTTP.
    until(&cut, async {
        if let Err(error) = served.await {
            tracing::debug!(connection, %error, "connection ended");
        }
    })
    .await;
    state.disconnected();
}

async fn respond(
    request: Request<Incoming>,
    connection: usize,
    state: Arc<State>,
    cut: Arc<Notify>,
) -> Result<Response<Script>, Infallible> {
    let latency = state.latency();
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let seen = seen(&request, connection);
    let (head, body) = request.into_parts();
    let Some(body) = read(body).await else {
        // The caller is gone, or sends without end: what came is no call.
        cut.notify_one();
        return pending().await;
    };
    let header = |name| head.headers.get(name).map(hyper::header::HeaderValue::as_bytes);
    let call = Call {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or(""),
        authorization: header(AUTHORIZATION),
        content_type: header(CONTENT_TYPE),
        content_length: header(CONTENT_LENGTH),
        body: &body,
    };
    let (number, reply, fault) = state.handle(seen, &call);
    let delivery = match fault {
        None => Delivery::Send(whole(reply)),
        Some(fault) => spoil(fault, reply),
    };
    match delivery {
        Delivery::Never => pending().await,
        Delivery::Cut => {
            cut.notify_one();
            pending().await
        }
        Delivery::Send(outgoing) => {
            state.released().await;
            state.answered(number, outgoing.status);
            // The query stays out: a challenge is no secret, but it has no business in logs either.
            tracing::debug!(connection, number, method = %head.method, status = outgoing.status, "answered");
            Ok(response(outgoing, state, cut))
        }
    }
}

fn response(outgoing: Outgoing, state: Arc<State>, cut: Arc<Notify>) -> Response<Script> {
    let mut builder = Response::builder().status(outgoing.status);
    for (name, value) in &outgoing.headers {
        builder = builder.header(name, value);
    }
    if let Some(length) = outgoing.length {
        builder = builder.header("Content-Length", length);
    }
    let script = Script::new(outgoing.steps, Arc::clone(&state), Arc::clone(&cut));
    builder.body(script).unwrap_or_else(|_| {
        // A fault or a raw answer with an impossible status or header: visible, and the test's mistake.
        let mut response = Response::new(Script::new(Default::default(), state, cut));
        *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// The most that a caller may send.
const MOST: usize = 16 * 1024 * 1024;

/// A body to its end, which may hold a password; `None` where it has no end.
async fn read(mut body: Incoming) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(body.size_hint().lower()).ok()?.min(MOST)));
    loop {
        match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            None => return Some(bytes),
            Some(Err(_)) => return None,
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
        }
        if bytes.len() > MOST {
            return None;
        }
    }
}

/// Headers worth asserting; none of them can hold a secret (a cookie could).
const RECORDED: [&str; 9] = [
    "accept",
    "accept-encoding",
    "cache-control",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
    // The user whom a server before this one has found out.
    "x-remote-user",
];

fn seen(request: &Request<Incoming>, connection: usize) -> SeenRequest {
    let mut headers = Vec::new();
    for name in RECORDED {
        for value in request.headers().get_all(name) {
            headers.push((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
    }
    if let Some(authority) = request.uri().authority() {
        headers.push(("host".to_owned(), authority.to_string()));
    }
    SeenRequest {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or("").to_owned(),
        endpoint: None,
        headers,
        authorization: scheme(request.headers()),
        has_cookie: request.headers().contains_key("cookie"),
        status: None,
        version: format!("{:?}", request.version()),
        connection,
    }
}

/// A known scheme or "other": a token sent without its scheme must not end up in the record.
fn scheme(headers: &HeaderMap) -> Option<&'static str> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let word = value.split(|byte| *byte == b' ').next().unwrap_or(value);
    let known = ["Bearer", "Negotiate", "NTLM", "Basic"];
    let known = known.into_iter().find(|k| word.eq_ignore_ascii_case(k.as_bytes()));
    Some(known.unwrap_or("other"))
}
