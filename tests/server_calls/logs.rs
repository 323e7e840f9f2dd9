//! Nothing secret of a call that changes the server shows in a log: token, password for private keys, and what is answered.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinwright::server::PfxPassword;
use pinwright::sim::server::{Endpoint, Fault, FaultKind};

use crate::{CARD_ID, PKCS10, REQUEST, SCID, bearer, block_on, caller, card, enroll, stand_in};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn logs_show_no_secret() {
    const TOKEN: &str = "CANARY-token";
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, TOKEN).unwrap();
    let mut secrets = vec![TOKEN.to_owned(), "CANARY-body".to_owned()];
    for http2 in [false, true] {
        let server = stand_in(|settings| {
            settings.http2 = http2;
            settings.token = Some(TOKEN.to_owned());
            settings.templates[0].diversify_admin_key = true;
        });
        let client = caller(&server.base_url(), server.ca_pem(), bearer(&path), Duration::from_secs(8));
        let password = PfxPassword::random().unwrap();
        block_on(async {
            for kind in [
                None,
                Some(FaultKind::error(500, "CANARY-body")),
                Some(FaultKind::error(403, "CANARY-body")),
                Some(FaultKind::DropBeforeHeaders),
                Some(FaultKind::Status {
                    code: 200,
                    headers: Vec::new(),
                    body: Some("[{\"Pfx\":\"CANARY-body\"}".into()),
                }),
                Some(FaultKind::Status {
                    code: 200,
                    headers: Vec::new(),
                    body: Some("[{\"Pfx\":\"CANARY-body\"}]".into()),
                }),
            ] {
                kind.into_iter().for_each(|kind| server.inject(Fault::on(Endpoint::CertificateData, kind)));
                let result = client.certificate_data(REQUEST, &[PKCS10.to_vec()], &password, "a comment").await;
                let shown = format!("{result:?}");
                assert!(!shown.contains("CANARY") && !shown.contains(password.expose()), "{shown}");
            }
            client.create_request(&enroll("a comment")).await.map(drop).unwrap();
            let key = client.diversified_key(REQUEST, SCID, &card(CARD_ID, &[])).await.unwrap().unwrap();
            secrets.extend([hex::encode(key.expose()), STANDARD.encode(key.expose())]);
        });
        secrets.push(password.expose().to_owned());
    }
    let text = String::from_utf8_lossy(&sink.0.lock().unwrap()).into_owned();
    assert!(text.contains("POST requests/{id}/certificatedata") && text.contains("hyper"), "the sink works");
    for secret in secrets {
        for form in [hex::encode(&secret), STANDARD.encode(&secret), secret] {
            assert!(!text.contains(&form), "a log shows {form}");
        }
    }
}
