//! Each endpoint against the stand-in: what is sent breaks no rule, and what comes back is read.

use std::time::{Duration, SystemTime};

use pinwright::server::wire::{CardStatus, RequestStatus, RequestType};
use pinwright::server::{
    AdminKeyVersion, DataForm, NewRequest, PfxPassword, ProposedPin, Purpose, RequestEnd, RequestKind, ServerProblem,
    certificate_for,
};
use pinwright::sim::server::{
    Certificate, DataForm as Taken, Endpoint, Fault, FaultKind, RequestStatus as Status, UriForm, respond,
};
use uuid::Uuid;

use crate::{
    ATR, CARD_ID, Caller, NEW_CARD_ID, PKCS10, REQUEST, SCID, TEMPLATE, block_on, card, done, enroll, of, stand_in,
};

#[test]
fn an_enrollment_call_by_call() {
    for (http2, uri) in [(false, UriForm::Relative), (true, UriForm::Rooted), (true, UriForm::Absolute)] {
        let server = stand_in(|settings| {
            settings.http2 = http2;
            settings.created_uri = uri;
            settings.new_request_status = Status::Pending;
            settings.templates[0].diversify_admin_key = true;
            settings.templates[0].data_items = vec!["Reason".to_owned()];
        });
        block_on(enrollment(&of(&server), &server));
        let violations = server.violations();
        assert!(violations.is_empty(), "{violations:?}");
        for call in server.requests() {
            assert_eq!(call.version, if http2 { "HTTP/2.0" } else { "HTTP/1.1" });
            assert_eq!(call.header("transfer-encoding"), None);
            assert_eq!(call.header("content-type"), (call.method != "GET").then_some("application/json"));
            assert_eq!(call.header("content-length").is_some(), call.method != "GET", "{} {}", call.method, call.path);
        }
    }
}

async fn enrollment(client: &Caller, server: &pinwright::sim::server::StandIn) {
    let templates = client.profile_templates().await.unwrap();
    assert_eq!((templates.len(), templates[0].uuid, templates[0].is_smartcard), (1, TEMPLATE, Some(true)));
    assert_eq!(client.profile_template(TEMPLATE).await.unwrap(), templates[0]);
    let policy = client.workflow_policy(TEMPLATE, RequestKind::Enroll).await.unwrap();
    assert_eq!((policy.enabled, policy.self_service, policy.approvals), (Some(true), Some(true), Some(1)));
    assert_eq!((policy.collects_comment, policy.enrollment_agent), (Some(false), Some(false)));
    assert!(policy.data_items == ["Reason"] && !policy.one_time_password);

    let before = SystemTime::now() - Duration::from_secs(1);
    let data = [("Reason".to_owned(), "new \"hire\"".to_owned())];
    let request = done(client.create_request(&NewRequest { data: &data, ..enroll("a comment") }).await);
    let found = client.request(request).await.unwrap();
    assert_eq!((found.uuid, found.kind, found.status), (request, RequestType::Enroll, RequestStatus::Pending));
    assert_eq!((found.new_smartcard, found.profile_template), (None, Some(TEMPLATE)));
    assert!(found.submitted.unwrap() >= before && found.completed.is_none());
    assert_eq!(
        (found.comment.as_deref(), &*found.data),
        (Some("a comment"), &[("Reason".to_owned(), Some("new \"hire\"".to_owned()))][..])
    );
    assert!(client.visible_requests().await.unwrap().contains(&found));
    assert!(client.profiles_of_request(request).await.unwrap().is_empty());
    assert!(client.requests("Pending").await.unwrap().iter().any(|pending| pending.uuid == request));
    let made = server.state().change(|settings| settings.requests.last().unwrap().clone());
    assert_eq!((made.data, &*made.comment), (data.to_vec(), "a comment"));
    server.state().set_request_status(request, Status::Approved);

    let policy = client.smartcard_policy(TEMPLATE).await.unwrap().unwrap();
    assert_eq!(policy.diversify_admin_key, Some(true));
    assert!(policy.card.allows_reuse && policy.card.erases_on_overflow && !policy.card.leaves_chain_off);
    assert_eq!((policy.card.most_certificates, policy.card.label.as_deref()), (Some(8), Some("{User}")));
    assert!(client.smartcards_by_card_id(&NEW_CARD_ID.to_string()).await.unwrap().is_empty());
    let challenge = [9; 8];
    let parameters = card(NEW_CARD_ID, &challenge);
    let smartcard = done(client.bind_smartcard(request, &parameters).await);
    let record = client.smartcard(smartcard).await.unwrap();
    assert_eq!((record.status, record.card_id, &*record.atr), (CardStatus::Assigned, Some(NEW_CARD_ID), ATR));
    assert_eq!(client.smartcards().await.unwrap().len(), 2);
    assert_eq!(client.smartcard_of_request(request, smartcard).await.unwrap(), record);
    assert_eq!(client.smartcard_operations(smartcard).await.unwrap(), ["unblock", "retire"]);
    assert_eq!(client.request(request).await.unwrap().new_smartcard, Some(smartcard));

    let key = client.diversified_key(request, smartcard, &parameters).await.unwrap().unwrap();
    let expected = server.state().diversified_key(NEW_CARD_ID);
    assert!(key.expose() == expected);
    let answer = client.authentication_response(request, smartcard, &parameters, AdminKeyVersion::Diversified).await;
    assert!(answer.unwrap().expose() == respond(&expected, &challenge).unwrap());
    let route = pinwright::server::PinRoute::Request(request, smartcard);
    let pin = client.server_proposed_pin(route, &card(NEW_CARD_ID, &[])).await.unwrap();
    assert!(matches!(pin, ProposedPin::Pin(_)));

    let options = client.certificate_request_generation_options(request).await.unwrap();
    assert_eq!(
        (options.len(), &*options[0].algorithm, options[0].bits, &*options[0].hash),
        (1, "RSA", Some(2048), "SHA1")
    );
    let password = PfxPassword::random().unwrap();
    assert!(client.smartcard_certificates(smartcard).await.unwrap().is_empty());
    let answers =
        done(client.certificate_data(request, &[PKCS10.to_vec()], &password, "by pinwright").await).read().unwrap();
    let ours = certificate_for(PKCS10, &answers).unwrap();
    assert_eq!((ours.others.len(), &*ours.template), (2, "SmartcardLogon"));
    let listed = client.smartcard_certificates(smartcard).await.unwrap();
    assert_eq!((listed.len(), listed[0].thumbprint.len(), listed[0].is_key_history), (1, 40, false));
    let of_user = client.certificates().await.unwrap();
    assert_eq!((&of_user[0].thumbprint, &*of_user[0].issuer), (&listed[0].thumbprint, "CN=Contoso CA"));
    let ended = done(client.end_request(request, RequestEnd::Completed).await);
    assert_eq!(ended.status, RequestStatus::Completed);
    assert_eq!(client.smartcard(smartcard).await.unwrap().status, CardStatus::Active);
    let again = client.end_request(request, RequestEnd::Completed).await.unwrap_err();
    assert!(matches!(again.problem, ServerProblem::Forbidden { .. }));
    // That one broke a rule, on purpose.
    assert_eq!(server.violations().len(), 1);
    server.state().clear_log();
}

#[test]
fn unblock_retire_and_the_other_ends() {
    let server = stand_in(|_| {});
    let client = of(&server);
    let new = |purpose| NewRequest { purpose, ..enroll("") };
    block_on(async {
        let unblock = done(client.create_request(&new(Purpose::Unblock { smartcard: SCID })).await);
        let found = client.request(unblock).await.unwrap();
        assert_eq!((found.kind, found.new_smartcard), (RequestType::Unblock, Some(SCID)));
        let ended = done(client.end_request(unblock, RequestEnd::Abandoned).await);
        assert_eq!(ended.status, RequestStatus::Failed, "there is no abandoned status");
        let enrollment = done(client.create_request(&enroll("")).await);
        assert_eq!(done(client.end_request(enrollment, RequestEnd::Canceled).await).status, RequestStatus::Canceled);
        let retire = done(client.create_request(&new(Purpose::Retire { smartcard: SCID })).await);
        let retired = done(client.retire_smartcard(retire, SCID).await);
        assert_eq!((retired.uuid, retired.status), (SCID, CardStatus::Retired));
        let policy = client.workflow_policy(TEMPLATE, RequestKind::Retire).await.unwrap();
        assert_eq!(policy.enabled, Some(true));
    });
    assert!(server.violations().is_empty(), "{:?}", server.violations());
}

#[test]
fn collected_data_as_an_array_where_it_is_set_so() {
    let server = stand_in(|settings| settings.data_form = Taken::Array);
    let data = [("Reason".to_owned(), "x".to_owned())];
    let request = |data_form| NewRequest { data: &data, data_form, ..enroll("") };
    block_on(async {
        let client = of(&server);
        done(client.create_request(&request(DataForm::Array)).await);
        // The other form is refused, and not tried after it.
        let refused = client.create_request(&request(DataForm::Text)).await.unwrap_err();
        assert!(matches!(refused.problem, ServerProblem::Rejected { status: 400, .. }));
        assert_eq!(client.calls(), 2);
    });
}

#[test]
fn a_policy_by_the_other_route() {
    let server = stand_in(|settings| settings.policy_by_policies = false);
    let client = of(&server);
    let policy = block_on(client.workflow_policy(TEMPLATE, RequestKind::Unblock)).unwrap();
    assert_eq!(policy.enabled, Some(true));
    let routes: Vec<_> = server.requests().into_iter().filter_map(|call| call.endpoint).collect();
    assert_eq!(routes, [Endpoint::WorkflowPolicy, Endpoint::WorkflowPolicyByWorkflow]);
    // Any other refusal is the server's word.
    server.state().change(|settings| settings.policy_by_policies = true);
    for code in [403, 400] {
        server.state().clear_log();
        server.inject(Fault::on(Endpoint::WorkflowPolicy, FaultKind::status(code)));
        block_on(client.workflow_policy(TEMPLATE, RequestKind::Unblock)).unwrap_err();
        assert_eq!(server.requests().len(), 1, "{code}");
    }
    // Without either the API may be off.
    server.state().change(|settings| (settings.policy_by_policies, settings.policy_by_workflow) = (false, false));
    let none = block_on(client.workflow_policy(TEMPLATE, RequestKind::Unblock)).unwrap_err();
    assert!(matches!(none.problem, ServerProblem::NotFound { api_answered: true, .. }));
}

#[test]
fn certificates_of_a_card() {
    let server = stand_in(|settings| {
        let certificate =
            |card, serial: &str| Certificate { card, serial_number: serial.into(), thumbprint: "C52B".into() };
        settings.certificates = vec![certificate(SCID, "1B0000B0"), certificate(Uuid::from_u128(1), "1B0000B1")];
    });
    let found = block_on(of(&server).smartcard_certificates(SCID)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&*found[0].serial_number, &*found[0].thumbprint), ("1B0000B0", "C52B"));
}

/// Certificates and errors side by side, keys of the server among them.
#[test]
fn issued_certificates_are_read_around_private_keys() {
    let server = stand_in(|_| {});
    let body = r#"[{"TemplateCommonName":"Logon","Error":null,"Pkcs7":"MIIU\r\n","Pfx":null,"isPkcs7":true},
        {"Error":"denied by policy","Pkcs7":null},{"Pfx":"CANARYCANARY","isPfx":true,"isServerGenerated":true}]"#;
    let answer = FaultKind::Status { code: 200, headers: Vec::new(), body: Some(body.to_owned()) };
    server.inject(Fault::on(Endpoint::CertificateData, answer));
    let password = PfxPassword::random().unwrap();
    let issued =
        done(block_on(of(&server).certificate_data(REQUEST, &[PKCS10.to_vec()], &password, ""))).read().unwrap();
    assert_eq!((issued[0].pkcs7.as_deref(), issued[0].is_for_another_key), (Some(&[0x30, 0x82, 0x14][..]), false));
    assert_eq!(issued[1].error.as_deref(), Some("denied by policy"));
    assert!(issued[2].is_for_another_key && !format!("{issued:?}").contains("CANARY"));
}

/// 204: the policy does not diversify, and the key on the card stays.
#[test]
fn no_key_to_write() {
    let server = stand_in(|_| {});
    let client = of(&server);
    block_on(async {
        let parameters = card(CARD_ID, &[]);
        assert!(client.diversified_key(REQUEST, SCID, &parameters).await.unwrap().is_none());
        // A secret answer: told without its body, and not asked for again after a failure that may have used it up.
        server.state().change(|settings| settings.templates[0].diversify_admin_key = true);
        server.inject(Fault::on(Endpoint::DiversifiedKey, FaultKind::error(500, "CANARY")));
        let error = client.diversified_key(REQUEST, SCID, &parameters).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("CANARY"));
        assert_eq!(server.requests().len(), 2);
        server.inject(Fault::on(Endpoint::DiversifiedKey, FaultKind::WrongJsonType));
        let error = client.diversified_key(REQUEST, SCID, &parameters).await.unwrap_err();
        assert!(matches!(error.problem, ServerProblem::WrongType { .. }), "{error:?}");
        server.inject(Fault::on(Endpoint::DiversifiedKey, FaultKind::status(503)));
        assert!(client.diversified_key(REQUEST, SCID, &parameters).await.unwrap().is_some());
        // What was read stays with the connection until that is closed.
        client.close();
        client.requests("Approved").await.unwrap();
    });
    let calls = server.requests();
    let connection = |at: usize| calls[calls.len() - at].connection;
    assert_ne!(connection(1), connection(2));
    let keys = calls.iter().filter(|call| call.endpoint == Some(Endpoint::DiversifiedKey));
    assert!(keys.into_iter().all(|call| call.header("cache-control") == Some("no-store")));
}

/// A server without software profiles: empty lists, and an id that nobody knows.
#[test]
fn software_profiles() {
    let server = stand_in(|_| {});
    let (client, id) = (of(&server), Uuid::from_u128(4));
    block_on(async {
        assert!(client.profiles().await.unwrap().is_empty());
        assert!(matches!(client.profile(id).await.unwrap_err().problem, ServerProblem::Nothing));
        assert!(client.profile_operations(id).await.unwrap().is_empty());
        assert!(client.profile_certificates(id).await.unwrap().is_empty());
        let body = format!("[{{\"Uuid\":\"{id}\",\"Status\":2,\"ProfileOperations\":[\"renew\"]}}]");
        let answer = FaultKind::Status { code: 200, headers: Vec::new(), body: Some(body) };
        server.inject(Fault::on(Endpoint::Profiles, answer));
        let profiles = client.profiles().await.unwrap();
        assert_eq!((profiles[0].uuid, &*profiles[0].operations[0]), (id, "renew"));
    });
    assert!(server.violations().is_empty());
}

#[test]
fn a_request_for_another_user() {
    let server = stand_in(|settings| settings.makes_for_others = true);
    let (client, other) = (of(&server), Uuid::from_u128(0xB0));
    block_on(async {
        let request = done(client.create_request(&NewRequest { target: Some(other), ..enroll("") }).await);
        assert_eq!(client.request(request).await.unwrap().target_user, Some(other));
        server.state().change(|settings| settings.makes_for_others = false);
        let refused = client.create_request(&NewRequest { target: Some(other), ..enroll("") }).await.unwrap_err();
        assert!(matches!(refused.problem, ServerProblem::Forbidden { .. }));
    });
    assert!(server.violations().is_empty());
}
