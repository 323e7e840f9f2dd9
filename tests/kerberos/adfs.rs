//! The agent at AD FS with its keytab: an authorization code without a browser. Apache asks for the ticket, the stand-in behind it is AD FS.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pinwright::sim::server::{Settings, StandIn, TlsKind};
use support::adfs::{CLIENT, Pages, RESOURCE, Sts, Version};
use support::agent_process::Daemon;
use support::installation::Installation;
use support::kerberos::{Apache, Proof, Realm, Site};
use support::numbered_cards::{assert_done, card, id, insert};
use support::pcscd::Pcscd;

use crate::bed::{CARD_ID, Caller};

struct Place {
    realm: Realm,
    server: Arc<StandIn>,
    sts: Sts,
    apache: Apache,
    keytab: PathBuf,
    /// Where a browser would come back to.
    back: TcpListener,
}

impl Place {
    fn start(version: Version, site: &Site) -> Option<Self> {
        if !support::kerberos::is_here() {
            return None;
        }
        let realm = Realm::start();
        realm.add("AGENT1$");
        let keytab = realm.keytab("AGENT1$", "agent.keytab");
        let mut settings = Settings::for_card(CARD_ID, "", [7; 24]);
        settings.tls = TlsKind::PlainHttp;
        settings.token = Some("nobody-has-this".to_owned());
        let server = Arc::new(StandIn::start(settings).unwrap());
        let mim_cm = Arc::clone(&server);
        let sts = Sts::start(version, move |token| {
            mim_cm.state().change(|settings| settings.token = Some(token.to_owned()));
        });
        let apache = Apache::start(&realm, &behind(&sts), site);
        let back = TcpListener::bind("127.0.0.1:0").unwrap();
        back.set_nonblocking(true).unwrap();
        Some(Self { realm, server, sts, apache, keytab, back })
    }

    /// Another web server before the same AD FS.
    fn over(self, site: &Site) -> Self {
        Self { apache: Apache::start(&self.realm, &behind(&self.sts), site), ..self }
    }

    fn caller(&self) -> Caller<'_> {
        self.caller_of(CLIENT).keytab(&self.keytab)
    }

    fn caller_of(&self, client: &str) -> Caller<'_> {
        let lines = format!(
            "auth = \"adfs\"\nurl = \"{}\"\nadfs_url = \"{}\"\nadfs_ca_file = \"{}\"\nadfs_client_id = \"{client}\"\nadfs_resource = \"{RESOURCE}\"\n\
             adfs_redirect_port = {}\nadfs_token_file = \"{}\"\n",
            self.server.base_url(),
            self.apache.url(&behind(&self.sts)),
            self.apache.ca_file().display(),
            self.back.local_addr().unwrap().port(),
            self.token_file().display(),
        );
        Caller::configured(&self.realm, lines)
    }

    fn token_file(&self) -> PathBuf {
        self.realm.path("adfs-token.json")
    }

    fn shows(&self, pages: Pages) -> &Self {
        self.sts.state().pages = pages;
        self
    }

    /// Nobody has opened the address that AD FS sends a browser back to, no file has a token, and no log has a secret.
    #[track_caller]
    fn assert_quiet(&self, log: &str) {
        assert!(self.back.accept().is_err(), "the redirect address was opened");
        assert!(!self.token_file().exists());
        let secrets = self.sts.state().secrets.clone();
        assert!(secrets.len() >= 3, "{}", secrets.len());
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            assert!(!log.contains(secret.as_str()) && !log.contains(&encoded), "{}: {log}", &secret[..6]);
        }
        assert!(!log.contains("Negotiate Y"), "{log}");
    }
}

fn behind(sts: &Sts) -> String {
    format!("{}/adfs", sts.url)
}

/// Only the authorize endpoint asks for a ticket, as AD FS does.
fn site() -> Site {
    Site { asks_at: Some("/adfs/oauth2/authorize"), ..Site::default() }
}

#[test]
fn a_keytab_gets_a_code_and_a_token_without_a_browser() {
    for version in [Version::R2012, Version::V2019] {
        let Some(place) = Place::start(version, &site()) else { return };
        let called = place.caller().calls("requests requests create");
        assert_eq!(called.succeed().answers.len(), 3);
        assert_eq!(place.sts.state().users, ["AGENT1$@LAB.TEST"]);
        assert_eq!((place.sts.asked("authorization_code"), place.sts.asked("refresh_token")), (1, 0));
        assert!(place.server.requests().iter().all(|seen| seen.authorization == Some("Bearer")));
        place.assert_quiet(&called.log);
    }
}

/// AD FS's own way: a page that wants the ticket, cookies, and back to the first page. Only what is below `/adfs` is followed.
#[test]
fn pages_of_adfs_itself_are_followed_with_its_cookies() {
    let site = Site { asks_at: Some("/adfs/oauth2/authorize/wia"), ..Site::default() };
    let Some(place) = Place::start(Version::V2019, &site) else { return };
    let called = place.shows(Pages::WithCookies).caller().calls("requests");
    called.succeed();
    assert_eq!(place.sts.state().users, ["AGENT1$@LAB.TEST"]);
    place.assert_quiet(&called.log);
    place.shows(Pages::Circle).caller().fails().says("sends from page to page", "--no-browser", 5);
    place.shows(Pages::Elsewhere).caller().fails().says(
        "sends the agent on to login.other.test,",
        "ClaimsProviderName",
        5,
    );
}

#[test]
fn pages_that_wait_for_a_person_are_told_apart() {
    let Some(place) = Place::start(Version::V2019, &site()) else { return };
    place.shows(Pages::SecondFactor).caller().fails().says(
        "knows who the agent is, and shows a page",
        "second factors",
        5,
    );
    // AD FS does not know this user agent, and asks for no ticket.
    let place = place.over(&Site { is_open: true, ..Site::default() });
    let wia =
        "Set-AdfsProperties -WIASupportedUserAgents ((Get-AdfsProperties).WIASupportedUserAgents + \"pinwright\")";
    place.shows(Pages::LoginForm).caller().fails().says("shows a form for name and password", wia, 5);
    place.shows(Pages::SecondFactor).caller().fails().says("before it asks for a Kerberos ticket", wia, 5);
    // A code for anybody is not taken.
    place.shows(Pages::Code).caller().fails().says("without asking who the agent is", "server.adfs_url", 5);
    assert_eq!(place.sts.asked("authorization_code"), 0);
}

#[test]
fn a_no_of_adfs_is_told_by_what_to_do_for_an_agent() {
    let Some(place) = Place::start(Version::V2019, &site()) else { return };
    place.caller_of("unknown").keytab(&place.keytab).fails().says(
        "HTTP status 400, MSIS9602",
        "server.adfs_client_id",
        5,
    );
    place.sts.state().denies = true;
    place.caller().fails().says("access_denied (MSIS9604: no)", "access policy", 5);
    place.sts.state().denies = false;
    place.sts.state().instead = Some((400, "{\"error\":\"invalid_client\"}".to_owned()));
    place.caller().fails().says("does not know this client", "public one", 5);
    place.sts.state().instead = None;
    // The proof that it is AD FS was taken out on the way, and a user who is not let in.
    let place = place.over(&Site { proof: Proof::Missing, ..site() });
    place.caller().fails().says("has not proved that it is HTTP/localhost", "no proxy answers", 5);
    let place = place.over(&Site { lets_in: Some("carol"), ..site() });
    place.caller().fails().says("knows by Kerberos who the agent is, and does not let it in", "access policy", 5);
}

#[test]
fn faults_of_keytab_and_kdc_are_told_as_such() {
    let Some(mut place) = Place::start(Version::V2019, &site()) else { return };
    place.caller_of(CLIENT).keytab(&place.realm.path("missing")).fails().says("missing can't be read", "chmod 0600", 2);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = place.realm.configuration("silent.conf", silent.local_addr().unwrap().port(), "");
    let caller = place.caller().variable("KRB5_CONFIG", &config.display().to_string()).key("timeout = \"1s\"");
    caller.fails().says("no KDC has answered within 1 s", "port 88", 6);
    place.realm.stop_kdc();
    place.caller().fails().says("Kerberos does not sign the agent in to AD FS: no KDC can be reached", "port 88", 6);
    place.realm.start_kdc();
    place.realm.administer("delprinc -force HTTP/localhost");
    place.caller().fails().says(
        "the KDC does not know the server as HTTP/localhost",
        "the service account of AD FS",
        5,
    );
    assert_eq!(place.sts.asked("authorization_code"), 0);
}

/// Refused before its time: a new code for a new token, once.
#[test]
fn a_refused_token_is_fetched_anew_once() {
    use pinwright::sim::server::{Endpoint, Fault, FaultKind};
    let Some(place) = Place::start(Version::V2019, &site()) else { return };
    place.server.inject(Fault::on(Endpoint::Requests, FaultKind::status_with(401, "WWW-Authenticate", "Bearer")));
    place.caller().calls("requests requests").succeed();
    assert_eq!(place.sts.asked("authorization_code"), 2);
}

/// A whole job: the agent starts itself anew for its keytab, gets its token at AD FS, and sets the PIN of a card.
#[test]
fn the_agent_sets_a_pin_behind_adfs_with_its_keytab() {
    let Some(pcscd) = Pcscd::start_or_skip(1) else { return };
    let Some(place) = Place::start(Version::V2019, &site()) else { return };
    let mut numbered = pinwright::sim::gids::GidsSettings::default();
    numbered.card_id[..4].copy_from_slice(&0_u32.to_be_bytes());
    let server = Settings { token: Some("nobody-has-this".to_owned()), ..support::installation::server_for(&numbered) };
    let installation = Arc::new(Installation::new(server));
    let mim_cm = Arc::clone(&installation);
    let sts = Sts::start(Version::V2019, move |token| {
        mim_cm.server.state().change(|settings| settings.token = Some(token.to_owned()));
    });
    let apache = Apache::start(&place.realm, &behind(&sts), &site());
    installation.configure(
        &format!(
            "auth = \"adfs\"\nadfs_url = \"{}\"\nadfs_ca_file = \"{}\"\nadfs_client_id = \"{CLIENT}\"\nadfs_resource = \"{RESOURCE}\"",
            apache.url(&behind(&sts)),
            apache.ca_file().display(),
        ),
        &format!("[agent]\nkeytab_file = \"{}\"", place.keytab.display()),
    );
    let config = place.realm.path("krb5.conf").display().to_string();
    let mut agent = Daemon::start_with(&installation, &pcscd.socket(), "agent", &[("KRB5_CONFIG", &config)]);
    let virtual_card = card(0);
    let _inserted = insert(&pcscd, 0, &virtual_card, Duration::ZERO);
    agent.finishes(&id(0));
    assert_done(&virtual_card, &installation.server);
    assert_eq!(sts.state().users, ["AGENT1$@LAB.TEST"]);
    assert_eq!(sts.asked("authorization_code"), 1);
}
