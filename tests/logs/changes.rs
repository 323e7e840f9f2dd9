//! The calls that change the server, with the secrets that go with them: a password on its way out, keys on their way in.

use std::future::Future;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinwright::server::{CardParameters, Client, DataForm, NewRequest, PfxPassword, Purpose, RequestEnd, Settings};
use pinwright::sim::server::{Endpoint, Fault, FaultKind, StandIn};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Makes them, well and badly. Gives the secrets, and everything that was said of the calls.
pub fn try_all(server: &StandIn, settings: &Settings) -> (Vec<Vec<u8>>, String) {
    let client = Client::new(settings).unwrap();
    let password = PfxPassword::random().unwrap();
    let mut secrets = vec![password.expose().as_bytes().to_vec()];
    let mut said = String::new();
    let (request, card) = server.state().change(|settings| {
        settings.templates[0].diversify_admin_key = true;
        (settings.requests[0].uuid, settings.cards[0].clone())
    });
    let body = |text: &str| FaultKind::Status { code: 200, headers: Vec::new(), body: Some(text.to_owned()) };
    block_on(async {
        for kind in [
            None,
            Some(FaultKind::error(500, "CANARYBODY")),
            Some(FaultKind::error(403, "CANARYBODY")),
            Some(FaultKind::DropBeforeHeaders),
            Some(body("[{\"Pfx\":\"CANARYBODY\"}")),
            Some(body("[{\"Pfx\":\"CANARYBODY\",\"isPfx\":true}]")),
        ] {
            kind.into_iter().for_each(|kind| server.inject(Fault::on(Endpoint::CertificateData, kind)));
            let certificate_request = [0x30, 3, 1, 2, 3].to_vec();
            said.push_str(&format!(
                "{:?}",
                client.certificate_data(request, &[certificate_request], &password, "").await
            ));
        }
        let parameters = CardParameters { card_id: card.card_id.to_string(), atr: card.atr, challenge: Vec::new() };
        let key = client.diversified_key(request, card.uuid, &parameters).await.unwrap().unwrap();
        secrets.extend([key.expose().to_vec(), STANDARD.encode(key.expose()).into_bytes()]);
        let new = NewRequest {
            purpose: Purpose::Unblock { smartcard: card.uuid },
            data: &[],
            data_form: DataForm::Text,
            comment: "",
            target: None,
        };
        said.push_str(&format!("{:?}", client.create_request(&new).await));
        said.push_str(&format!("{:?}", client.end_request(request, RequestEnd::Completed).await));
    });
    (secrets, said)
}
