//! The rules and routes, without a network.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::{Uuid, uuid};

use super::fault::whole;
use super::reply::Reply;
use super::routes::Call;
use super::*;

mod changes;

const CARD_ID: Uuid = uuid!("bc88f13f-83ba-4037-8262-46eba1291c6e");
const ATR: &str = "3b8d0180fba000000397425446590301c8";
const ROOT: &str = "/CertificateManagement/api/v1.0";
const SCID: &str = "17cf063d-e337-4aa9-a822-346554ddd3c9";
const REQUEST: Uuid = uuid!("a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099");
const TEMPLATE: &str = "a039b4d0-5ce8-4eff-8651-181c6576fda3";
const GOOD: &str = "cardid=bc88f13f-83ba-4037-8262-46eba1291c6e&challenge=1hFD%2Bcz%2F0so%3D&diversified=False&atr=3b8d0180fba000000397425446590301c8";

fn settings() -> Settings {
    Settings::for_card(CARD_ID, ATR, [0; 24])
}

/// A call without a body.
fn bare<'a>(method: &'a str, path: &'a str, query: &'a str) -> Call<'a> {
    Call { method, path, query, authorization: None, content_type: None, content_length: None, body: b"" }
}

/// A call as it was seen.
fn seen(call: &Call<'_>) -> SeenRequest {
    SeenRequest {
        method: call.method.to_owned(),
        path: call.path.to_owned(),
        query: call.query.to_owned(),
        endpoint: None,
        headers: Vec::new(),
        authorization: None,
        has_cookie: false,
        status: None,
        version: "test".to_owned(),
        connection: 0,
    }
}

fn deliver(state: &State, call: &Call<'_>) -> Reply {
    let (_, mut reply, fault) = state.handle(seen(call), call);
    assert!(fault.is_none());
    state.delivered(std::mem::take(&mut reply.effects));
    reply
}

fn send(state: &State, method: &str, path: &str, query: &str, authorization: Option<&str>) -> Reply {
    deliver(state, &Call { authorization: authorization.map(str::as_bytes), ..bare(method, path, query) })
}

fn get(state: &State, path: &str, query: &str) -> Reply {
    send(state, "GET", &format!("{ROOT}/{path}"), query, None)
}

fn answer_path() -> String {
    format!("requests/{REQUEST}/smartcards/{SCID}/authenticationresponse")
}

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

/// The call breaks exactly this rule and is refused with that status and a message.
fn breaks(state: &State, path: &str, query: &str, rule: Rule, status: u16) {
    state.clear_log();
    let reply = get(state, path, query);
    assert_eq!(reply.status, status, "{path}?{query}: {}", text(&reply));
    let broken = state.violations();
    assert_eq!(broken.len(), 1, "{path}?{query}");
    assert_eq!(broken[0].rule, rule, "{path}?{query}");
    assert!(text(&reply).starts_with("{\"Message\":"));
}

#[test]
fn a_good_run_breaks_nothing() {
    let state = State::new(settings());
    let upper = CARD_ID.to_string().to_uppercase();
    for (path, query) in [
        ("smartcards", format!("cardid={CARD_ID}")),
        ("SmartCards", format!("CardId={upper}")),
        ("requests", "targetuser=current&status=Approved".to_owned()),
        ("profiletemplates", String::new()),
        (&*format!("profiletemplates/{TEMPLATE}"), String::new()),
        (&*format!("profiletemplates/{TEMPLATE}/configuration/smartcards"), String::new()),
        (&*format!("requests/{REQUEST}"), String::new()),
        (&*format!("smartcards/{SCID}/serverproposedpin"), GOOD.to_owned()),
        (&*format!("requests/{REQUEST}/smartcards/{SCID}/serverproposedpin"), String::new()),
        (&*answer_path(), GOOD.to_owned()),
    ] {
        let reply = get(&state, path, &query);
        assert_eq!(reply.status, 200, "{path}?{query}: {}", text(&reply));
        assert!(serde_json::from_slice::<serde_json::Value>(&reply.body).is_ok());
    }
    assert!(state.violations().is_empty());
    assert_eq!(state.answers(), [STANDARD.decode("F0Zudm4wPLY=").unwrap()]);
}

#[test]
fn rules_of_the_challenge() {
    let state = State::new(settings());
    let path = answer_path();
    let with = |challenge: &str| GOOD.replace("1hFD%2Bcz%2F0so%3D", challenge);
    for (challenge, rule) in [
        ("1hFD+cz%2F0so%3D", Rule::UnescapedChallenge),
        ("1hFD%2Bcz/0so%3D", Rule::UnescapedChallenge),
        ("1hFD%2Bcz%2F0so=", Rule::UnescapedChallenge),
        ("1hFD-cz_0so%3D", Rule::ChallengeEncoding),
        ("1hFD%2Bcz%2F0so", Rule::ChallengeEncoding),
        ("1hFD%20cz%2F0so%3D", Rule::ChallengeEncoding),
        ("d61143f9ccffd2ca", Rule::ChallengeLength),
        ("CFAA62118BBD25", Rule::ChallengeEncoding),
        ("AAAAAAAAAA%3D%3D", Rule::ChallengeLength),
        ("", Rule::MissingParameter),
        ("1hFD%2Bcz%2F0so%3", Rule::PercentEncoding),
        ("1hFD%2Bcz%2F0so%3D&challenge=x", Rule::DuplicateParameter),
    ] {
        breaks(&state, &path, &with(challenge), rule, 400);
    }
    let pin = format!("smartcards/{SCID}/serverproposedpin");
    breaks(&state, &pin, "challenge=1hFD+cz/0so=", Rule::UnescapedChallenge, 400);
    state.change(|s| s.challenge_lengths = vec![8, 16]);
    state.clear_log();
    let long = with(&STANDARD.encode([3; 16]).replace('=', "%3D"));
    assert_eq!(get(&state, &path, &long).status, 200);
    assert!(state.violations().is_empty());
}

#[test]
fn rules_of_the_other_parameters() {
    let state = State::new(settings());
    let path = answer_path();
    let card_id = CARD_ID.to_string();
    let other = Uuid::from_u128(5).to_string();
    for (from, to, rule, status) in [
        ("diversified=False", "diversified=0", Rule::Diversified, 400),
        ("diversified=False", "diversified=FALSE", Rule::Diversified, 400),
        ("&diversified=False", "", Rule::MissingParameter, 400),
        (&*card_id, "%7Bbc88f13f-83ba-4037-8262-46eba1291c6e%7D", Rule::CardIdForm, 400),
        (&*card_id, "bc88f13f83ba4037826246eba1291c6e", Rule::CardIdForm, 400),
        (&*card_id, "", Rule::MissingParameter, 400),
        (&*card_id, &*other, Rule::WrongCard, 403),
        (ATR, "3B8D0180FBA000000397425446590301C8", Rule::AtrForm, 400),
        (ATR, "3b%208d%2001", Rule::AtrForm, 400),
        (ATR, "3b8d01", Rule::WrongAtr, 400),
    ] {
        breaks(&state, &path, &GOOD.replace(from, to), rule, status);
    }
}

#[test]
fn rules_of_the_other_routes() {
    let state = State::new(settings());
    let other = Uuid::from_u128(5);
    let pin = format!("smartcards/{SCID}/serverproposedpin");
    breaks(&state, &pin, &format!("cardid={other}"), Rule::WrongCard, 403);
    breaks(&state, "requests", "status=Open", Rule::FilterValue, 400);
    breaks(&state, "requests", "targetuser=me", Rule::FilterValue, 400);
    let braces = format!("smartcards/%7B{SCID}%7D");
    breaks(&state, &braces, "", Rule::IdForm, 400);
    let key = format!("requests/{REQUEST}/smartcards/{SCID}/diversifiedkey");
    breaks(&state, &key, "", Rule::MissingParameter, 400);
}

#[test]
fn an_answered_challenge_is_spent() {
    let state = State::new(settings());
    assert_eq!(get(&state, &answer_path(), GOOD).status, 200);
    breaks(&state, &answer_path(), GOOD, Rule::ChallengeReused, 400);
}

#[test]
fn requests_must_be_open_and_bound() {
    let state = State::new(settings());
    let pin = format!("smartcards/{SCID}/serverproposedpin");
    state.set_request_status(REQUEST, RequestStatus::Pending);
    breaks(&state, &answer_path(), GOOD, Rule::RequestStatus, 403);
    breaks(&state, &pin, "", Rule::RequestStatus, 403);
    state.set_request_status(REQUEST, RequestStatus::Executing);
    state.change(|s| s.requests[0].new_card = None);
    breaks(&state, &answer_path(), GOOD, Rule::CardNotBound, 403);
    breaks(&state, &pin, "", Rule::CardNotBound, 403);
}

#[test]
fn a_pin_is_for_requests_that_set_one_and_for_the_cards_user() {
    let pin = format!("smartcards/{SCID}/serverproposedpin");
    let broken = |change: fn(&mut Settings), rule| {
        let state = State::new(settings());
        state.change(change);
        breaks(&state, &answer_path(), GOOD, rule, 403);
        breaks(&state, &pin, "", rule, 403);
    };
    broken(|settings| settings.requests[0].kind = RETIRE, Rule::RequestType);
    broken(|settings| settings.requests[0].user = Uuid::from_u128(5), Rule::TargetUser);
    broken(|settings| settings.cards[0].user = Uuid::from_u128(5), Rule::TargetUser);
}

#[test]
fn requests_of_others_are_for_callers_who_may_see_them() {
    let state = State::new(settings());
    state.change(|settings| settings.requests[0].user = Uuid::from_u128(5));
    let found = |query| get(&state, "requests", query).status == 200;
    assert!(found("status=Approved") && !found("targetuser=current&status=Approved") && !found("status=Pending"));
    let by_id = format!("requests/{REQUEST}");
    assert_eq!(get(&state, &by_id, "").status, 200);
    state.change(|settings| settings.sees_others = false);
    assert_eq!((get(&state, "requests", "status=Approved").status, get(&state, &by_id, "").status), (204, 204));
}

#[test]
fn authorization() {
    let mut settings = settings();
    settings.token = Some("abc".to_owned());
    let state = State::new(settings);
    let path = format!("{ROOT}/requests");
    let status = |value| send(&state, "GET", &path, "", value).status;
    assert_eq!(status(Some("Bearer abc")), 200);
    assert_eq!(status(Some("Bearer abd")), 401);
    assert_eq!(status(Some("abc")), 401);
    assert!(state.violations().is_empty());
    assert_eq!(status(None), 401);
    assert_eq!(state.violations()[0].rule, Rule::MissingAuthorization);
    let reply = send(&state, "GET", &path, "", None);
    assert!(reply.headers.contains(&("WWW-Authenticate".into(), "Bearer".into())));
    state.change(|s| (s.token, s.allow_anonymous) = (None, false));
    assert_eq!(send(&state, "GET", &path, "", None).status, 401);
    assert_eq!(send(&state, "GET", &path, "", Some("Negotiate YII")).status, 200);
}

#[test]
fn makers_of_pins() {
    let state = State::new(settings());
    let fetch = || get(&state, &format!("smartcards/{SCID}/serverproposedpin"), "");
    let first = fetch();
    let pin = state.last_pin().unwrap();
    assert_eq!(text(&first), format!("\"{}\"", String::from_utf8(pin.clone()).unwrap()));
    assert!(pin.len() == 8 && pin.iter().all(u8::is_ascii_digit));
    state.change(|s| s.pin_maker = PinMaker::Stored(40));
    assert!(fetch().body == fetch().body);
    state.change(|s| s.pin_maker = PinMaker::Random(40));
    assert!(fetch().body != fetch().body);
    state.change(|s| s.pin_maker = PinMaker::Fixed(b"a\"b".to_vec()));
    assert_eq!(text(&fetch()), r#""a\"b""#);
    state.change(|s| s.pin_maker = PinMaker::UserProvided);
    assert_eq!(fetch().status, 204);
    let raw = PinMaker::Raw { status: 200, content_type: "text/html".into(), body: b"<p>".to_vec() };
    state.change(|s| s.pin_maker = raw);
    assert_eq!(text(&fetch()), "<p>");
    assert_eq!(state.pins().len(), 6);
}

#[test]
fn switches_and_statuses() {
    let state = State::new(settings());
    let unknown = "smartcards/00000000-0000-0000-0000-000000000009";
    assert_eq!(get(&state, unknown, "").status, 204);
    state.change(|s| s.unknown_id = UnknownId::Forbidden);
    assert_eq!(get(&state, unknown, "").status, 403);
    assert_eq!(get(&state, "smartcards", &format!("cardid={}", Uuid::from_u128(1))).status, 204);
    assert_eq!(get(&state, "requests", "status=Pending").status, 204);
    assert_eq!(get(&state, "nonsense", "").status, 404);
    let posted = send(&state, "POST", &format!("{ROOT}/profiletemplates"), "", None);
    assert_eq!(posted.status, 405);
    assert!(posted.headers.contains(&("Allow".into(), "GET".into())));
    let put = send(&state, "PUT", &format!("{ROOT}/requests"), "", None);
    assert!(put.status == 405 && put.headers.contains(&("Allow".into(), "GET, POST".into())));
    state.change(|s| s.pin_by_card = false);
    assert_eq!(get(&state, &format!("smartcards/{SCID}/serverproposedpin"), "").status, 404);
    let by_request = format!("requests/{REQUEST}/smartcards/{SCID}/serverproposedpin");
    assert_eq!(get(&state, &by_request, "").status, 200);
    state.change(|s| s.api_enabled = false);
    assert_eq!(get(&state, "requests", "").status, 404);
    assert!(state.violations().is_empty());
}

#[test]
fn several_cards_share_a_card_id() {
    let mut settings = settings();
    settings.add_card(CARD_ID, ATR);
    let state = State::new(settings);
    let reply = get(&state, "smartcards", &format!("cardid={CARD_ID}"));
    let list: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
}

#[test]
fn diversified_keys_only_where_the_policy_wants_them() {
    let state = State::new(settings());
    let path = format!("requests/{REQUEST}/smartcards/{SCID}/diversifiedkey");
    let query = format!("cardid={CARD_ID}");
    assert_eq!(get(&state, &path, &query).status, 204);
    state.change(|s| s.templates[0].diversify_admin_key = true);
    let key = state.diversified_key(CARD_ID);
    assert_eq!(text(&get(&state, &path, &query)), format!("\"{}\"", STANDARD.encode(key)));
    let reply = get(&state, &answer_path(), &GOOD.replace("False", "true"));
    let challenge = STANDARD.decode("1hFD+cz/0so=").unwrap();
    let expected = STANDARD.encode(respond(&key, &challenge).unwrap());
    assert_eq!(text(&reply), format!("\"{expected}\""));
}

#[test]
fn faults_hit_the_calls_they_were_armed_for() {
    let mut fault = Fault::on(Pattern::Pin, FaultKind::Stall).after(1).times(2);
    let mut hits = |endpoint| fault.take(Some(endpoint), "").is_some();
    assert!(!hits(Endpoint::PinByCard));
    assert!(!hits(Endpoint::Requests));
    assert!(hits(Endpoint::PinByRequest) && hits(Endpoint::PinByCard));
    assert!(!hits(Endpoint::PinByCard));
}

#[test]
fn no_body_no_length() {
    let sent = whole(Reply::empty());
    assert!(sent.length.is_none() && sent.steps.is_empty());
}

#[test]
fn a_fault_about_one_card_spares_the_others() {
    let mut fault = Fault::on(Pattern::Any, FaultKind::Garbage).about("cardid=one").always();
    assert!(fault.take(Some(Endpoint::Smartcards), "/smartcards?cardid=two").is_none());
    assert!(fault.take(Some(Endpoint::Smartcards), "/smartcards?cardid=one").is_some());
}

/// The other flag costs a card one of its tries. After its own key was given out it is the proof of that key.
#[test]
fn one_flag_for_a_card() {
    let state = State::new(settings());
    state.change(|settings| {
        settings.one_flag = true;
        settings.templates[0].diversify_admin_key = true;
    });
    let ask = |challenge: u8, flag: &str| {
        let challenge = STANDARD.encode([challenge; 8]).replace('=', "%3D");
        get(&state, &answer_path(), &format!("cardid={CARD_ID}&challenge={challenge}&diversified={flag}")).status
    };
    assert_eq!((ask(1, "False"), ask(2, "false")), (200, 200));
    assert!(state.violations().is_empty());
    assert_eq!(ask(3, "True"), 400);
    assert_eq!(state.violations()[0].rule, Rule::BothFlags);
    state.clear_log();
    let key = format!("requests/{REQUEST}/smartcards/{SCID}/diversifiedkey");
    state.change(|settings| settings.one_flag = true);
    assert_eq!(get(&state, &key, &format!("cardid={CARD_ID}")).status, 200);
    assert_eq!((ask(4, "True"), ask(5, "True")), (200, 200));
    assert_eq!(ask(6, "False"), 400);
}
