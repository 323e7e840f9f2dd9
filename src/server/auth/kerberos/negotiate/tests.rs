//! The exchange against a library that does as it is told: what no KDC can be made to do.

use std::collections::VecDeque;

use reqwest::header::WWW_AUTHENTICATE;

use super::*;
use crate::server::auth::kerberos::error::Reason;
use crate::server::auth::offered::Offered;

/// What becomes of the server's token.
type Stepped = Result<Progress, &'static str>;

/// A library with a script; it keeps what it was asked for.
#[derive(Debug, Default)]
struct Scripted {
    steps: Mutex<VecDeque<Stepped>>,
    begun: Mutex<Vec<Option<Vec<u8>>>>,
    /// It waits for somebody who never comes, until this is gone.
    hangs: Option<Mutex<std::sync::mpsc::Receiver<()>>>,
}

struct ScriptedContext(Stepped);

impl Context for ScriptedContext {
    fn step(self: Box<Self>, _: &[u8]) -> Result<Progress, LibraryError> {
        self.0.map_err(|text| LibraryError::new(text, None))
    }
}

impl Mechanism for Scripted {
    fn begin(&self, request: &Request) -> Result<(Box<dyn Context>, SecretBytes), LibraryError> {
        if let Some(hangs) = &self.hangs {
            let _ = hangs.lock().unwrap().recv();
        }
        let mut begun = self.begun.lock().unwrap();
        begun.push(request.bindings.clone());
        let stepped = self.steps.lock().unwrap().pop_front().unwrap_or(Ok(Progress::Done(None)));
        let token = format!("token {}", begun.len());
        Ok((Box::new(ScriptedContext(stepped)), SecretBytes::copy_of(token.as_bytes())))
    }
}

fn settings(scripted: Scripted) -> (Negotiate, Arc<Scripted>) {
    let scripted = Arc::new(scripted);
    let settings = Negotiate::new("HTTP/cm.contoso.com", None, ChannelBindings::Auto);
    (Negotiate { mechanism: scripted.clone(), ..settings }, scripted)
}

fn script(steps: &[Stepped]) -> Scripted {
    Scripted { steps: Mutex::new(steps.iter().copied().collect()), ..Scripted::default() }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn challenge(values: &[&str], certificate: &[u8]) -> Challenge {
    let headers = headers(values);
    Challenge {
        offered: Offered::of(&headers),
        token: negotiate_token(&headers),
        certificate: Some(certificate.to_vec()),
    }
}

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
    }
    headers
}

fn token(text: &str) -> String {
    format!("Negotiate {}", STANDARD.encode(text))
}

fn shown(next: Result<Next, SignInError>) -> Result<String, Stop> {
    match next.unwrap() {
        Next::Show(header) => {
            assert!(header.is_sensitive() && !format!("{header:?}").contains("Negotiate"));
            Ok(header.to_str().unwrap().to_owned())
        }
        Next::Stop(stop) => Err(stop),
    }
}

fn kerberos<T>(result: Result<T, SignInError>) -> KerberosError {
    match result {
        Err(SignInError::Kerberos(error)) => error,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is taken"),
    }
}

const NEGOTIATE: &[&str] = &["Negotiate", "NTLM"];
const PROOF: &[&str] = &["Negotiate cHJvb2Y="];

#[test]
fn the_first_request_of_all_goes_without_a_token_and_all_others_with_a_new_one() {
    let (settings, library) = settings(Scripted::default());
    block_on(async {
        let mut first = settings.sign_in();
        assert!(!settings.is_prepared() && first.first().await.unwrap().is_none());
        assert_eq!(shown(first.refused(&challenge(NEGOTIATE, b"one")).await), Ok(token("token 1")));
        first.answered(&headers(PROOF), true).await.unwrap();
        // A repeat of the same call, and a call of the next job, whose settings are a copy.
        assert_eq!(first.first().await.unwrap().unwrap(), token("token 2").as_str());
        assert!(settings.is_prepared());
        assert_eq!(settings.clone().sign_in().first().await.unwrap().unwrap(), token("token 3").as_str());
    });
    assert_eq!(*library.begun.lock().unwrap(), vec![Some(bindings::of(b"one")); 3]);
}

#[test]
fn a_ticket_is_got_in_advance_and_nothing_is_shown_or_learned_by_it() {
    let (settings, library) = settings(Scripted::default());
    block_on(async {
        settings.prepare().await.unwrap();
        assert!(!settings.is_prepared() && settings.sign_in().first().await.unwrap().is_none());
        let mut first = settings.sign_in();
        assert_eq!(shown(first.refused(&challenge(NEGOTIATE, b"one")).await), Ok(token("token 2")));
    });
    // The first one is bound to nothing, and is dropped.
    assert_eq!(*library.begun.lock().unwrap(), [None, Some(bindings::of(b"one"))]);
}

#[test]
fn a_kdc_that_says_nothing_holds_up_neither_who_asks_for_a_ticket_nor_who_gives_up() {
    let (says_nothing, hangs) = std::sync::mpsc::channel();
    let (settings, _) = settings(Scripted { hangs: Some(Mutex::new(hangs)), ..Scripted::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = runtime.spawn(settings.prepare());
    // Other things go on meanwhile.
    runtime.block_on(tokio::task::yield_now());
    assert!(!asked.is_finished());
    runtime.shutdown_background();
    drop(says_nothing);
}

#[test]
fn bindings_that_are_off_bind_to_nothing() {
    let (settings, library) = settings(Scripted::default());
    let settings = Negotiate { bindings: ChannelBindings::Off, ..settings };
    block_on(async { drop(settings.sign_in().refused(&challenge(NEGOTIATE, b"one")).await.unwrap()) });
    assert!(!settings.is_bound_to_tls());
    assert_eq!(*library.begun.lock().unwrap(), [None]);
}

#[test]
fn a_success_needs_the_servers_proof_and_a_failure_does_not() {
    for (values, stepped, is_success, expected) in [
        (PROOF, Ok(Progress::Done(None)), true, None),
        (PROOF, Ok(Progress::Done(None)), false, None),
        (&[][..], Ok(Progress::Done(None)), false, None),
        (&[], Ok(Progress::Done(None)), true, Some("without a token")),
        (&["Negotiate"], Ok(Progress::Done(None)), true, Some("without a token")),
        (&["Basic realm=\"x\""], Ok(Progress::Done(None)), true, Some("without a token")),
        // Whatever its status, a proof that is wrong is somebody else's.
        (PROOF, Err("Message stream modified"), true, Some("has not proved that it is HTTP/cm.contoso.com")),
        (PROOF, Err("Message stream modified"), false, Some("has not proved")),
        (PROOF, Ok(Progress::Unfinished), true, Some("more rounds")),
        (&["Negotiate TlRMTVNTUAACAAAA"], Ok(Progress::Done(None)), true, Some("NTLM")),
    ] {
        let (settings, _) = settings(script(&[stepped]));
        block_on(async {
            let mut call = settings.sign_in();
            drop(call.refused(&challenge(NEGOTIATE, b"one")).await.unwrap());
            let answered = call.answered(&headers(values), is_success).await;
            match expected {
                None => answered.unwrap(),
                Some(expected) => {
                    let error = kerberos(answered).to_string();
                    assert!(error.contains(expected), "{values:?}: {error}");
                }
            }
        });
    }
}

#[test]
fn a_server_that_does_not_ask_is_not_taken_for_ours() {
    let (settings, _) = settings(Scripted::default());
    block_on(async {
        let mut call = settings.sign_in();
        assert!(call.first().await.unwrap().is_none());
        let error = kerberos(call.answered(&headers(&[]), true).await);
        assert!(matches!(error, KerberosError::NotAsked) && error.remedy().contains("Anonymous"), "{error:?}");
        call.answered(&headers(&[]), false).await.unwrap();
    });
}

#[test]
fn what_a_401_after_a_token_means() {
    let refused = |stepped: Stepped, second: Challenge| {
        let (settings, library) = settings(script(&[stepped]));
        let next = block_on(async {
            let mut call = settings.sign_in();
            drop(call.refused(&challenge(NEGOTIATE, b"one")).await.unwrap());
            call.refused(&second).await
        });
        let begun = library.begun.lock().unwrap().len();
        (next, begun)
    };
    // No token, the same certificate: it is not tried again.
    let (next, begun) = refused(Ok(Progress::Done(None)), challenge(NEGOTIATE, b"one"));
    assert_eq!((shown(next), begun), (Err(Stop::TicketRefused), 1));
    // Another certificate: once more, bound to that.
    let (next, begun) = refused(Ok(Progress::Done(None)), challenge(NEGOTIATE, b"two"));
    assert_eq!((shown(next), begun), (Ok(token("token 2")), 2));
    // The server's own reason, by the library.
    for (text, reason) in [
        ("Request is a replay", Reason::Replayed),
        ("Clock skew too great", Reason::ClockSkew),
        ("Incorrect channel bindings were supplied", Reason::ChannelBindings),
        ("Decrypt integrity check failed", Reason::ServiceKey),
        ("something new", Reason::Other),
    ] {
        let (next, begun) = refused(Err(text), challenge(PROOF, b"two"));
        let error = kerberos(next);
        assert!(matches!(&error, KerberosError::Failed { reason: found, .. } if *found == reason), "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source == text && !error.remedy().is_empty() && begun == 1, "{error}");
    }
    // It has proved who it is, and refuses.
    let (next, _) = refused(Ok(Progress::Done(None)), challenge(PROOF, b"one"));
    assert_eq!(shown(next), Err(Stop::UserRefused));
    // SPNEGO with NTLM chosen, and raw NTLM.
    for ntlm in ["Negotiate oRUwE6ADCgEBoQwGCisGAQQBgjcCAgo=", "Negotiate TlRMTVNTUAACAAAA"] {
        let (next, _) = refused(Ok(Progress::Done(None)), challenge(&[ntlm], b"one"));
        let error = kerberos(next);
        assert!(matches!(error, KerberosError::Ntlm) && error.remedy().contains("setspn"), "{error:?}");
    }
}

#[test]
fn a_certificate_that_changes_again_is_not_followed_for_ever() {
    let (settings, library) = settings(Scripted::default());
    block_on(async {
        let mut call = settings.sign_in();
        assert!(shown(call.refused(&challenge(NEGOTIATE, b"one")).await).is_ok());
        assert!(shown(call.refused(&challenge(NEGOTIATE, b"two")).await).is_ok());
        assert_eq!(shown(call.refused(&challenge(NEGOTIATE, b"three")).await), Err(Stop::TicketRefused));
    });
    assert_eq!(library.begun.lock().unwrap().len(), 2);
}

#[test]
fn a_site_without_kerberos_is_told_so() {
    for (values, stop) in [
        (&["NTLM"][..], Stop::NtlmAlone),
        (&["ntlm", "Basic realm=\"x\""], Stop::NtlmAlone),
        (&["Bearer"], Stop::NotOffered),
    ] {
        let (settings, library) = settings(Scripted::default());
        let next = block_on(async { settings.sign_in().refused(&challenge(values, b"one")).await });
        assert_eq!(shown(next), Err(stop), "{values:?}");
        assert!(library.begun.lock().unwrap().is_empty() && !settings.is_prepared(), "{values:?}");
    }
}

#[test]
fn a_kdc_that_says_nothing_is_what_took_so_long() {
    let (release, hangs) = std::sync::mpsc::channel();
    let (settings, _) = settings(Scripted { hangs: Some(Mutex::new(hangs)), ..Scripted::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let after = Duration::from_millis(50);
    let mut call = settings.sign_in();
    assert!(call.overdue(after).is_none());
    let challenge = challenge(NEGOTIATE, b"one");
    let waited = runtime.block_on(async { tokio::time::timeout(after, call.refused(&challenge)).await.is_err() });
    let error = kerberos::<()>(Err(call.overdue(after).unwrap()));
    assert!(waited && error.may_pass() && error.to_string().contains("no KDC has answered within 0.05 s"), "{error}");
    runtime.shutdown_background();
    drop(release);
}
