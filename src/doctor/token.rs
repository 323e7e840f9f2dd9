//! How long the bearer token is valid, by its own word and by this machine's clock. Nothing of it is verified.

use std::time::{Duration, SystemTime};

use super::finding::{Findings, Name, Probe};
use super::span::{from_now, minute, span};
use crate::operation::Operation;
use crate::server::auth::{Adfs, Auth, Lifetime};

/// So long before its end a token is warned of.
const SOON: Duration = Duration::from_secs(300);

const FRESH: &str = "put a fresh token where `server.token_file` or `server.token_credential` points, and see why it is not renewed in time";

/// One line, where there is a token. One that can't be read is told of as the setting that it is.
pub(super) fn tell(auth: &Auth, now: SystemTime, findings: &mut Findings) {
    if let Auth::Adfs(adfs) = auth {
        return tell_of_adfs(adfs, now, findings);
    }
    let Ok(Some(Lifetime { written, told })) = auth.lifetime() else { return };
    let age = written.and_then(|written| from_now(written, now).err());
    let age = age.map_or_else(String::new, |age| format!("; it was put there {} ago", span(age)));
    let Some(told) = told else {
        return findings
            .unknown(Probe::Token, format!("how long it is valid can't be known: it is no JSON Web Token{age}"));
    };
    if let Some(name) = &told.name {
        findings.name(Name::User(name.clone()));
    }
    let whose = told.name.map_or_else(String::new, |name| format!("; by its own word it is for {name}"));
    let more = format!("{whose}{age}");
    if let Some(Ok(early)) = told.from.map(|from| from_now(from, now))
        && !early.is_zero()
    {
        let reason = format!("it is valid only in {} by this machine's clock{more}", span(early));
        return findings.failed(
            Probe::Token,
            reason,
            "check this machine's clock; if it is right, wait or put another token there",
        );
    }
    match told.until.map(|until| (until, from_now(until, now))) {
        None => findings.unknown(Probe::Token, format!("it does not say how long it is valid{more}")),
        Some((until, Err(past))) => findings.failed(
            Probe::Token,
            format!("it has expired {} ago ({}) by this machine's clock{more}", span(past), minute(until)),
            FRESH,
        ),
        Some((_, Ok(left))) if left < SOON => {
            findings.warning(Probe::Token, format!("it expires in {}{more}", span(left)), FRESH);
        }
        Some((until, Ok(left))) => {
            findings.ok(Probe::Token, format!("valid for {} ({}){more}", span(left), minute(until)));
        }
    }
}

/// One line on a person's sign-in at AD FS. One that can't be read is told of as the setting that it is.
fn tell_of_adfs(adfs: &Adfs, now: SystemTime, findings: &mut Findings) {
    let Some(Ok(kept)) = adfs.token_place().map(|_| adfs.kept()) else { return };
    if let Some(account) = kept.account() {
        findings.name(Name::User(account));
    }
    let access = match from_now(kept.expires(), now) {
        Ok(left) => format!("the access token is valid for {}", span(left)),
        Err(past) => format!("the access token has ended {} ago", span(past)),
    };
    if !kept.is_renewable() {
        return match from_now(kept.expires(), now) {
            Err(_) => findings.failed(Probe::Token, format!("{access}, and AD FS has given no refresh token"), login()),
            Ok(left) if left < SOON => {
                findings.warning(Probe::Token, format!("{access}, and AD FS has given no refresh token"), login());
            }
            Ok(_) => findings.ok(Probe::Token, format!("{access}, and AD FS has given no refresh token")),
        };
    }
    match kept.refresh_expires().map(|until| (until, from_now(until, now))) {
        None => findings.ok(Probe::Token, format!("{access}; a refresh token renews it, AD FS does not say how long")),
        Some((_, Err(past))) => {
            findings.failed(Probe::Token, format!("{access}; the refresh token has ended {} ago", span(past)), login());
        }
        Some((_, Ok(left))) if left < SOON_OF_PERSON => {
            findings.warning(Probe::Token, format!("{access}; the refresh token ends in {}", span(left)), login());
        }
        Some((until, Ok(left))) => findings
            .ok(Probe::Token, format!("{access}; a refresh token renews it for {} ({})", span(left), minute(until))),
    }
}

/// A person has to be there for a new sign-in: they are told as long before.
const SOON_OF_PERSON: Duration = Duration::from_secs(1800);

fn login() -> String {
    format!("sign in with `{}`", Operation::Login)
}

/// One line on the agent's own token of AD FS, once the sign-in was tried.
pub(super) fn tell_of_own(auth: &Auth, findings: &mut Findings) {
    let Auth::Adfs(adfs) = auth else { return };
    if adfs.token_place().is_some() {
        return;
    }
    match adfs.own_token_until().map(|until| from_now(until, SystemTime::now()).unwrap_or_default()) {
        Some(left) => findings.ok(
            Probe::Token,
            format!("AD FS has given one for {}; the agent fetches the next one by itself", span(left)),
        ),
        None => findings.unknown(Probe::Token, "AD FS has given none, so how long they are valid is not known"),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::super::finding::State;
    use super::*;
    use crate::server::auth::TokenSource;

    fn told(token: &str) -> (State, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, token).unwrap();
        let mut findings = Findings::default();
        tell(
            &Auth::Bearer(TokenSource::File(path)),
            SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000),
            &mut findings,
        );
        (findings.list()[0].state, findings.list()[0].reason.clone())
    }

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_told_by_its_end() {
        for (claims, state, words) in [
            (
                "{\"exp\":2000036000,\"upn\":\"anna@contoso.com\"}",
                State::Ok,
                "valid for 10 h (2033-05-18 13:33 UTC); by its own word it is for anna@contoso.com",
            ),
            ("{\"exp\":2000000060}", State::Warning, "it expires in 60 s"),
            ("{\"exp\":1999990000}", State::Failed, "it has expired 2 h ago (2033-05-18 00:46 UTC)"),
            ("{\"nbf\":2000003600,\"exp\":2000036000}", State::Failed, "it is valid only in 60 min"),
            ("{\"sub\":\"x\"}", State::Unknown, "it does not say how long"),
        ] {
            let (found, reason) = told(&jwt(claims));
            assert!(found == state && reason.starts_with(words), "{claims}: {found:?} {reason}");
        }
        let (state, reason) = told("an-opaque-token");
        assert!(
            state == State::Unknown && reason.contains("no JSON Web Token") && !reason.contains("opaque"),
            "{reason}"
        );
    }
}
