//! The stand-in's rules for bodies over real connections, where a caller can break them that a client of ours can't be.

use std::sync::Arc;

use pinwright::sim::server::{Rule, StandIn};
use reqwest::header::CONTENT_TYPE;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{TEMPLATE, block_on, stand_in};

fn client(server: &StandIn, http2: bool) -> reqwest::Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

fn body() -> String {
    format!(r#"{{"datacollection":"[]","type":"Enroll","profiletemplateuuid":"{TEMPLATE}","comment":""}}"#)
}

/// A body of unknown length: chunks in HTTP/1.1.
struct Unmeasured(Option<bytes::Bytes>);

impl http_body::Body for Unmeasured {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.take().map(|bytes| Ok(http_body::Frame::data(bytes))))
    }
}

#[test]
fn headers_of_a_body() {
    for http2 in [false, true] {
        let server = stand_in(|settings| settings.http2 = http2);
        let url = format!("{}/api/v1.0/requests", server.base_url());
        block_on(async {
            let client = client(&server, http2);
            let send = async |kind: Option<&str>, body: reqwest::Body| {
                let request = client.post(&url).body(body);
                let request = kind.into_iter().fold(request, |request, kind| request.header(CONTENT_TYPE, kind));
                let response = request.send().await.unwrap();
                (response.status().as_u16(), response.text().await.unwrap())
            };
            assert_eq!(send(None, body().into()).await.0, 415);
            assert_eq!(send(Some("application/x-www-form-urlencoded"), body().into()).await.0, 415);
            let unmeasured = reqwest::Body::wrap(Unmeasured(Some(body().into())));
            assert_eq!(send(Some("application/json"), unmeasured).await.0, 411);
            let (status, text) = send(Some("application/json"), "{\"type\":".into()).await;
            assert!(status == 400 && text.starts_with("{\"Message\":"), "{status} {text}");
            assert_eq!(send(Some("application/json"), "[]".into()).await.0, 400);
            let (status, text) = send(Some("application/json; charset=utf-8"), body().into()).await;
            assert!(status == 201 && text.starts_with("\"api/v1.0/requests/"), "{status} {text}");
            let response = client.put(&url).body("{}").send().await.unwrap();
            assert_eq!(
                (response.status().as_u16(), &response.headers()["allow"]),
                (405, &"GET, POST".parse().unwrap())
            );
        });
        let rules: Vec<Rule> = server.violations().into_iter().map(|violation| violation.rule).collect();
        assert_eq!(
            rules,
            [Rule::ContentType, Rule::ContentType, Rule::ContentLength, Rule::JsonBody, Rule::BodyShape],
            "HTTP/2 {http2}"
        );
    }
}

/// A caller that goes away amid its body has made no call.
#[test]
fn half_a_body_is_no_call() {
    use std::io::{Read as _, Write as _};
    let server = stand_in(|settings| settings.tls = pinwright::sim::server::TlsKind::PlainHttp);
    let url: url::Url = server.base_url().parse().unwrap();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", url.port().unwrap())).unwrap();
    let head = format!(
        "POST {}/api/v1.0/requests HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        url.path(),
        body().len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body().as_bytes()[..10]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
    assert!(server.requests().is_empty());
    assert_eq!(server.state().change(|settings| settings.requests.len()), 1);
}
