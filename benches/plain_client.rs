//! The client that the search for secrets is compared with: it does the same job with the usual care, which is `Zeroizing`
//! around every secret of its own, and an allocator, a connection, a runtime and a PC/SC context that live as long as the
//! process. It takes its orders as `support::worker` does; with `--pinwright` it is that worker, without what the
//! binary does at its start.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

use std::ffi::CString;
use std::io::BufRead as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use support::worker;
use zeroize::Zeroizing;

const SELECT: &[u8] = b"\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x97\x42\x54\x46\x59\x00";
const SET_ENVIRONMENT: &[u8] = b"\x00\x22\xC1\xA4\x03\x83\x01\x80";
const ASK_CHALLENGE: &[u8] = b"\x00\x87\x00\x00\x04\x7C\x02\x81\x00\x00";

fn main() {
    if std::env::args().any(|argument| argument == "--pinwright") {
        return worker::serve(false).expect("the orders are readable");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let context = pcsc::Context::establish(pcsc::Scope::User).unwrap();
    let mut client = None;
    worker::say("ready").unwrap();
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if order["allocate"].is_string() {
            worker::say(&worker::allocate(&order)).unwrap();
            continue;
        }
        let client = client.get_or_insert_with(|| connect(&order));
        job(&order, client, &runtime, &context);
        worker::say("0").unwrap();
    }
}

fn connect(order: &Value) -> reqwest::Client {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(order["ca"].as_str().unwrap()).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap()
}

fn job(order: &Value, client: &reqwest::Client, runtime: &tokio::runtime::Runtime, context: &pcsc::Context) {
    let reader = CString::new(order["reader"].as_str().unwrap()).unwrap();
    let mut card = context.connect(&reader, pcsc::ShareMode::Shared, pcsc::Protocols::ANY).unwrap();
    let card = card.transaction().unwrap();
    let send = |command: &[u8]| {
        let mut buffer = [0; 258];
        let answer = card.transmit(command, &mut buffer).unwrap();
        assert!(answer.ends_with(&[0x90, 0x00]), "{}", hex::encode(&command[..4]));
        answer[..answer.len() - 2].to_vec()
    };
    send(SELECT);
    send(SET_ENVIRONMENT);
    let challenge = STANDARD.encode(&send(ASK_CHALLENGE)[4..]);
    let token = Zeroizing::new(std::fs::read_to_string(order["token"].as_str().unwrap()).unwrap());
    let get = |path: &str, query: &[(&str, &str)]| -> Zeroizing<Vec<u8>> {
        let mut url = url::Url::parse(&format!("{}/api/v1.0/{path}", order["url"].as_str().unwrap())).unwrap();
        url.query_pairs_mut().extend_pairs(query);
        runtime.block_on(async {
            let response = client.get(url).bearer_auth(token.as_str()).send().await.unwrap();
            assert!(response.status().is_success(), "{}", response.status());
            Zeroizing::new(response.bytes().await.unwrap().to_vec())
        })
    };
    let text = |body: &[u8]| -> Zeroizing<String> { Zeroizing::new(serde_json::from_slice(body).unwrap()) };
    let (id, smartcard) = (order["card_id"].as_str().unwrap(), order["smartcard"].as_str().unwrap());
    // The answer holds the admin key, which this client has no use for.
    let template = order["template"].as_str().unwrap();
    drop(get(&format!("profiletemplates/{template}/configuration/smartcards"), &[]));
    let query = [("cardid", id), ("challenge", &challenge), ("diversified", "False")];
    let pin = text(&get(&format!("smartcards/{smartcard}/serverproposedpin"), &query[..2]));
    let request = order["request"].as_str().unwrap();
    let answer = get(&format!("requests/{request}/smartcards/{smartcard}/authenticationresponse"), &query);
    let answer = Zeroizing::new(STANDARD.decode(text(&answer).as_bytes()).unwrap());
    send(&Zeroizing::new([b"\x00\x87\x00\x00\x0C\x7C\x0A\x82\x08", &answer[..]].concat()));
    let with_pin = |head: &[u8]| Zeroizing::new([head, &[pin.len() as u8], pin.as_bytes()].concat());
    send(&with_pin(b"\x00\x2C\x02\x80"));
    send(&with_pin(b"\x00\x20\x00\x80"));
    card.end(pcsc::Disposition::ResetCard).map_err(|(_, error)| error).unwrap();
}
