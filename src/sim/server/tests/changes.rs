//! POST and PUT: what they do to the data, and how strictly they are read.

mod certificates;

use serde_json::{Value, json};

use super::*;

const NEW_CARD: Uuid = uuid!("4a0288bc-ba83-4037-8262-46eba1291c6f");
const JSON: &[u8] = b"application/json";

/// A call with a body and the headers that belong to it.
fn write(state: &State, method: &str, path: &str, body: &[u8]) -> Reply {
    let (path, length) = (format!("{ROOT}/{path}"), body.len().to_string());
    let headers = (Some(JSON), Some(length.as_bytes()));
    deliver(state, &Call { content_type: headers.0, content_length: headers.1, body, ..bare(method, &path, "") })
}

fn post(state: &State, path: &str, body: &Value) -> Reply {
    write(state, "POST", path, body.to_string().as_bytes())
}

fn put(state: &State, path: &str, status: &str) -> Reply {
    write(state, "PUT", path, json!({ "status": status }).to_string().as_bytes())
}

/// The call breaks exactly this rule.
#[track_caller]
fn refused(state: &State, reply: &Reply, status: u16, rule: Rule) {
    let broken = state.violations();
    assert_eq!((reply.status, broken.len(), broken[0].rule), (status, 1, rule), "{}", text(reply));
    state.clear_log();
}

/// The id at the end of the URI of something new.
fn made(reply: &Reply) -> Uuid {
    assert_eq!(reply.status, 201, "{}", text(reply));
    let uri: String = serde_json::from_slice(&reply.body).unwrap();
    assert!(uri.starts_with("api/v1.0/"), "{uri}");
    uri.rsplit('/').next().unwrap().parse().unwrap()
}

fn enroll() -> Value {
    json!({"datacollection": "[]", "type": "Enroll", "profiletemplateuuid": TEMPLATE, "comment": "c"})
}

fn binding(request: Uuid) -> Value {
    json!({"requestid": request, "cardid": NEW_CARD, "atr": ATR})
}

fn object(state: &State, path: &str) -> Value {
    serde_json::from_slice(&get(state, path, "").body).unwrap()
}

#[test]
fn an_enrollment_from_request_to_completion() {
    let state = State::new(settings());
    let request = made(&post(&state, "requests", &enroll()));
    assert_ne!(request, REQUEST);
    let path = format!("requests/{request}");
    let found = object(&state, &path);
    assert_eq!((&found["RequestType"], &found["Status"], &found["Comment"]), (&json!(1), &json!(3), &json!("c")));
    assert_eq!(found["NewSmartcardUuid"], "00000000-0000-0000-0000-000000000000");
    let options = object(&state, &format!("{path}/certificaterequestgenerationoptions"));
    assert_eq!((&options[0]["KeyAlgorithmName"], &options[0]["KeySize"]), (&json!("RSA"), &json!(2048)));

    let card = made(&post(&state, "smartcards", &binding(request)));
    assert_eq!(object(&state, &path)["NewSmartcardUuid"], card.to_string());
    let record = object(&state, &format!("smartcards/{card}"));
    assert_eq!((&record["Status"], &record["Atr"]), (&json!(1), &json!(ATR)));
    assert_eq!(object(&state, &format!("{path}/smartcards/{card}")), record);
    assert_eq!(get(&state, &format!("smartcards/{card}/serverproposedpin"), "").status, 200);

    let ended = put(&state, &path, "Completed");
    let ended: Value = serde_json::from_slice(&ended.body).unwrap();
    assert_eq!((&ended["Status"], &ended["Completed"]), (&json!(8), &json!("2015-07-07T23:37:37.767Z")));
    assert_eq!(object(&state, &format!("smartcards/{card}"))["Status"], 2);
    assert!(state.violations().is_empty());
    refused(&state, &put(&state, &path, "Completed"), 403, Rule::RequestStatus);
}

#[test]
fn unblock_and_retire_work_on_a_bound_card() {
    let state = State::new(settings());
    for (kind, number) in [("Unblock", UNBLOCK), ("retire", RETIRE)] {
        let body = json!({"datacollection": "[]", "type": kind, "smartcard": SCID, "comment": ""});
        let request = made(&post(&state, "requests", &body));
        let found = object(&state, &format!("requests/{request}"));
        assert_eq!(found["RequestType"], number);
        assert_eq!((&found["NewSmartcardUuid"], &found["OldSmartcardUuid"]), (&json!(SCID), &json!(SCID)));
        if kind == "retire" {
            let retired = put(&state, &format!("requests/{request}/smartcards/{SCID}"), "Retired");
            assert!(text(&retired).contains("\"Status\":6"));
            assert_eq!(get(&state, &format!("smartcards/{SCID}/operations"), "").status, 204);
            assert_eq!(post(&state, "requests", &body).status, 403);
            // Free for somebody else.
            let next = made(&post(&state, "requests", &enroll()));
            let mut binding = binding(next);
            binding["cardid"] = json!(CARD_ID);
            made(&post(&state, "smartcards", &binding));
        } else {
            assert_eq!(text(&get(&state, &format!("smartcards/{SCID}/operations"), "")), r#"["unblock","retire"]"#);
        }
    }
    assert!(state.violations().is_empty());
}

#[test]
fn a_request_ends_in_the_documented_ways_only() {
    let state = State::new(settings());
    state.change(|settings| settings.new_request_status = RequestStatus::Pending);
    let request = made(&post(&state, "requests", &enroll()));
    let path = format!("requests/{request}");
    assert_eq!(object(&state, &format!("profiletemplates/{TEMPLATE}/policies/enroll"))["ApprovalsNeeded"], 1);
    for (status, code, rule) in [
        ("Completed", 403, Rule::RequestStatus),
        ("Abandoned", 403, Rule::RequestStatus),
        ("Approved", 400, Rule::BodyValue),
    ] {
        refused(&state, &put(&state, &path, status), code, rule);
    }
    refused(&state, &post(&state, "smartcards", &binding(request)), 403, Rule::RequestStatus);
    let options = get(&state, &format!("{path}/certificaterequestgenerationoptions"), "");
    refused(&state, &options, 403, Rule::RequestStatus);
    assert!(text(&put(&state, &path, "Canceled")).contains("\"Status\":17"));

    state.set_request_status(request, RequestStatus::Executing);
    refused(&state, &put(&state, &path, "Completed"), 403, Rule::CardNotBound);
    assert!(text(&put(&state, &path, "abandoned")).contains("\"Status\":9"));
    state.change(|settings| settings.requests[0].user = Uuid::from_u128(1));
    assert_eq!(put(&state, &format!("requests/{REQUEST}"), "Completed").status, 403);
    assert_eq!(put(&state, &format!("requests/{}", Uuid::from_u128(9)), "Completed").status, 204);
}

#[test]
fn a_card_is_bound_once() {
    let state = State::new(settings());
    refused(&state, &post(&state, "smartcards", &binding(REQUEST)), 403, Rule::AlreadyBound);
    let request = made(&post(&state, "requests", &enroll()));
    let mut in_use = binding(request);
    in_use["cardid"] = json!(CARD_ID);
    refused(&state, &post(&state, "smartcards", &in_use), 403, Rule::CardInUse);
    for (name, value, rule) in [
        ("cardid", json!(format!("{{{NEW_CARD}}}")), Rule::IdForm),
        ("atr", json!("3B8D"), Rule::AtrForm),
        ("atr", json!(null), Rule::BodyShape),
        ("requestid", json!(7), Rule::BodyShape),
    ] {
        let mut body = binding(request);
        body[name] = value;
        refused(&state, &post(&state, "smartcards", &body), 400, rule);
    }
    state.change(|settings| settings.moves_to_executing = true);
    made(&post(&state, "smartcards", &binding(request)));
    assert_eq!(object(&state, &format!("requests/{request}"))["Status"], 18);
    refused(&state, &post(&state, "smartcards", &binding(request)), 403, Rule::AlreadyBound);
}

#[test]
fn rules_of_a_new_request() {
    let state = State::new(settings());
    for (name, value, status, rule) in [
        ("type", json!("Enrol"), 400, Rule::BodyValue),
        ("type", json!(1), 400, Rule::BodyShape),
        ("comment", json!(null), 400, Rule::BodyShape),
        ("profiletemplateuuid", json!("x"), 400, Rule::IdForm),
        ("profiletemplateuuid", json!(null), 400, Rule::BodyShape),
        ("smartcard", json!(SCID), 400, Rule::BodyShape),
        ("priority", json!(4), 400, Rule::BodyShape),
        ("priority", json!("256"), 400, Rule::BodyValue),
        ("datacollection", json!(null), 400, Rule::BodyShape),
        ("datacollection", json!([]), 400, Rule::DataCollection),
        ("datacollection", json!("{}"), 400, Rule::DataCollection),
        ("datacollection", json!("[1]"), 400, Rule::DataCollection),
        ("datacollection", json!("[{\"a\":1}]"), 400, Rule::DataCollection),
        ("cardid", json!(NEW_CARD), 400, Rule::BodyShape),
    ] {
        let mut body = enroll();
        body[name] = value;
        refused(&state, &post(&state, "requests", &body), status, rule);
    }
    for (name, value, status) in [
        ("type", json!("Renew"), 403),
        ("target", json!(Uuid::from_u128(3)), 403),
        ("profiletemplateuuid", json!(Uuid::from_u128(3)), 204),
    ] {
        let mut body = enroll();
        body[name] = value;
        assert_eq!(post(&state, "requests", &body).status, status, "{name}");
    }
    assert_eq!(state.change(|settings| settings.requests.len()), 1, "nothing was made");
    let mut body = enroll();
    body["datacollection"] = json!("[{\"Reason\":\"new\"},{\"City\":\"Ulm\"}]");
    body["priority"] = json!("4");
    body["target"] = json!(state.change(|settings| settings.caller));
    let request = made(&post(&state, "requests", &body));
    let expected = json!([{"Name": "Reason", "Value": "new"}, {"Name": "City", "Value": "Ulm"}]);
    assert_eq!(object(&state, &format!("requests/{request}"))["DataCollection"], expected);
    state.change(|settings| settings.data_form = DataForm::Array);
    refused(&state, &post(&state, "requests", &body), 400, Rule::DataCollection);
    body["datacollection"] = json!([{"Reason": "new"}]);
    made(&post(&state, "requests", &body));
}

#[test]
fn a_body_is_read_strictly() {
    let state = State::new(settings());
    for (body, rule) in [
        (&b""[..], Rule::JsonBody),
        (b"{", Rule::JsonBody),
        (b"{\"type\":\"Enroll\",}", Rule::JsonBody),
        (b"\xEF\xBB\xBF{}", Rule::JsonBody),
        (b"{\"type\":\"\xFF\"}", Rule::JsonBody),
        ("{\u{201C}type\u{201D}:1}".as_bytes(), Rule::JsonBody),
        (b"[]", Rule::BodyShape),
        (b"\"Enroll\"", Rule::BodyShape),
        (b"{\"type\":\"Enroll\",\"Type\":\"Enroll\"}", Rule::BodyShape),
    ] {
        refused(&state, &write(&state, "POST", "requests", body), 400, rule);
    }
    let (path, body) = (format!("{ROOT}/requests"), enroll().to_string());
    let length = body.len().to_string();
    let call = |content_type: Option<&'static [u8]>, has_length: bool| {
        let content_length = has_length.then_some(length.as_bytes());
        deliver(&state, &Call { content_type, content_length, body: body.as_bytes(), ..bare("POST", &path, "") })
    };
    for kind in [None, Some(&b"text/json"[..]), Some(b"application/json; charset=utf-16")] {
        refused(&state, &call(kind, true), 415, Rule::ContentType);
    }
    refused(&state, &call(Some(JSON), false), 411, Rule::ContentLength);
    assert_eq!(call(Some(b"Application/JSON; charset=UTF-8"), true).status, 201);
    // Names in any case of letters, as a server reads them.
    assert_eq!(write(&state, "POST", "requests", body.replace("type", "Type").as_bytes()).status, 201);
}

/// Requests made by OpenSSL (`fixtures/certificates/make.sh`).
const RSA_REQUEST: &[u8] = include_bytes!("../../../../fixtures/certificates/rsa.csr");
const P256_REQUEST: &[u8] = include_bytes!("../../../../fixtures/certificates/p256.csr");

/// A second POST after a lost answer is carried out, as a server would, and is a violation.
#[test]
fn a_lost_post_is_not_sent_again() {
    let state = State::new(settings());
    let send = |fault: Option<FaultKind>, body: &Value| {
        if let Some(kind) = fault {
            state.inject(Fault::on(Endpoint::CreateRequest, kind));
        }
        let (path, body) = (format!("{ROOT}/requests"), body.to_string());
        let length = body.len().to_string();
        let headers = (Some(JSON), Some(length.as_bytes()));
        let call = Call {
            content_type: headers.0,
            content_length: headers.1,
            body: body.as_bytes(),
            ..bare("POST", &path, "")
        };
        state.handle(seen(&call), &call);
    };
    // Refused, or answered: it may be sent again.
    send(Some(FaultKind::error(403, "no")), &enroll());
    send(None, &enroll());
    send(None, &enroll());
    assert!(state.violations().is_empty());
    send(Some(FaultKind::DropBeforeHeaders), &enroll());
    let mut other = enroll();
    other["comment"] = json!("another one");
    send(None, &other);
    assert!(state.violations().is_empty());
    send(None, &enroll());
    assert_eq!(state.violations().iter().map(|broken| broken.rule).collect::<Vec<_>>(), [Rule::SentAgain]);
    assert_eq!(state.change(|settings| settings.requests.len()), 6, "each was carried out but the refused one");
}

#[test]
fn a_request_for_somebody_else() {
    let state = State::new(settings());
    state.change(|settings| settings.makes_for_others = true);
    let other = Uuid::from_u128(3);
    let mut body = enroll();
    body["target"] = json!(other);
    let request = made(&post(&state, "requests", &body));
    assert_eq!(object(&state, &format!("requests/{request}"))["TargetUserUuid"], other.to_string());
    assert!(!text(&get(&state, "requests", "targetuser=current")).contains(&request.to_string()));
    assert!(text(&put(&state, &format!("requests/{request}"), "Canceled")).contains("\"Status\":17"));
    assert!(state.violations().is_empty());
}

#[test]
fn somebody_approves_in_time() {
    let state = State::new(settings());
    state.change(|settings| {
        (settings.new_request_status, settings.approved_after_looks) = (RequestStatus::Pending, Some(3));
    });
    let request = made(&post(&state, "requests", &enroll()));
    let looks: Vec<_> = (0..4).map(|_| object(&state, &format!("requests/{request}"))["Status"].clone()).collect();
    assert_eq!(looks, [16, 16, 3, 3]);
    // One that is denied stays so.
    state.set_request_status(request, RequestStatus::Denied);
    assert_eq!(object(&state, &format!("requests/{request}"))["Status"], 4);
    refused(&state, &put(&state, &format!("requests/{request}"), "Canceled"), 403, Rule::RequestStatus);
}

/// A card of a request that was given up is free for another one.
#[test]
fn an_abandoned_card_is_free() {
    let state = State::new(settings());
    let request = made(&post(&state, "requests", &enroll()));
    made(&post(&state, "smartcards", &binding(request)));
    let next = made(&post(&state, "requests", &enroll()));
    refused(&state, &post(&state, "smartcards", &binding(next)), 403, Rule::CardInUse);
    assert_eq!(put(&state, &format!("requests/{request}"), "Abandoned").status, 200);
    made(&post(&state, "smartcards", &binding(next)));
}

#[test]
fn retiring_needs_an_open_request_of_the_card() {
    let state = State::new(settings());
    let path = format!("requests/{REQUEST}/smartcards/{SCID}");
    refused(&state, &put(&state, &path, "Active"), 400, Rule::BodyValue);
    state.set_request_status(REQUEST, RequestStatus::Completed);
    refused(&state, &put(&state, &path, "Retired"), 403, Rule::RequestStatus);
    assert_eq!(object(&state, &path)["Status"], 1);
}

#[test]
fn the_routes_that_only_read() {
    let state = State::new(settings());
    for kind in ["enroll", "TemporaryEnroll"] {
        for route in [format!("policies/{kind}"), format!("policy/workflow/{kind}")] {
            let policy = object(&state, &format!("profiletemplates/{TEMPLATE}/{route}"));
            assert_eq!(policy["Enabled"], kind == "enroll", "{route}");
        }
    }
    state.change(|settings| settings.policy_by_policies = false);
    assert_eq!(get(&state, &format!("profiletemplates/{TEMPLATE}/policies/enroll"), "").status, 404);
    assert_eq!(get(&state, &format!("profiletemplates/{TEMPLATE}/policy/workflow/enroll"), "").status, 200);
    let certificates = format!("smartcards/{SCID}/certificates");
    for path in ["certificates", "profiles", &certificates, &format!("requests/{REQUEST}/profiles")] {
        assert_eq!(get(&state, path, "").status, 204, "{path}");
    }
    for path in ["", "/operations", "/certificates"] {
        assert_eq!(get(&state, &format!("profiles/{}{path}", Uuid::from_u128(4)), "").status, 204, "{path}");
    }
    let issued = Certificate { card: SCID.parse().unwrap(), serial_number: "1B".into(), thumbprint: "C5".into() };
    state.change(|settings| settings.certificates.push(issued));
    assert_eq!(object(&state, &certificates)[0]["SerialNumber"], "1B");
    assert_eq!(object(&state, "certificates")[0]["Thumbprint"], "C5");
    assert_eq!(get(&state, "profiles", "status=Active").status, 204);
    assert!(state.violations().is_empty());
    breaks(&state, "profiles", "status=Open", Rule::FilterValue, 400);
    breaks(&state, &format!("profiletemplates/{TEMPLATE}/policy/workflow/x"), "", Rule::FilterValue, 400);
}

#[test]
fn a_fault_that_refuses_leaves_nothing_done() {
    let state = State::new(settings());
    for (kind, is_done) in [
        (FaultKind::status(401), false),
        (FaultKind::error(403, "no"), false),
        (FaultKind::status(500), true),
        (FaultKind::status(204), true),
        (FaultKind::DropBeforeHeaders, true),
    ] {
        let before = state.change(|settings| settings.requests.len());
        state.inject(Fault::on(Endpoint::CreateRequest, kind.clone()));
        let (path, body) = (format!("{ROOT}/requests"), enroll().to_string());
        let length = body.len().to_string();
        let call = Call {
            content_type: Some(JSON),
            content_length: Some(length.as_bytes()),
            body: body.as_bytes(),
            ..bare("POST", &path, "")
        };
        let seen = SeenRequest {
            method: "POST".to_owned(),
            path: path.clone(),
            query: String::new(),
            endpoint: None,
            headers: Vec::new(),
            authorization: None,
            has_cookie: false,
            status: None,
            version: "test".to_owned(),
            connection: 0,
        };
        assert!(state.handle(seen, &call).2.is_some());
        assert_eq!(state.change(|settings| settings.requests.len()) > before, is_done, "{kind:?}");
    }
    // The fault is for the POST alone.
    state.inject(Fault::on(Endpoint::CreateRequest, FaultKind::status(500)));
    assert_eq!(get(&state, "requests", "").status, 200);
}
