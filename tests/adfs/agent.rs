//! The agent's own sign-in with a certificate: what AD FS is shown, how often, and what is told where it says no.

use pinwright::config::Config;
use pinwright::error_text::error_text;
use pinwright::exit::Exit;
use pinwright::server::Client;
use pinwright::sim::server::{Endpoint, Fault, FaultKind};
use support::adfs::{Registered, Version};
use support::repository::with_slashes;
use support::rights::{EVERYBODY_CAN_READ, set_mode};

use crate::desk::Desk;

const AGENT: &str = "a6e17000-0000-4000-8000-00000000c11e";

/// What a call of the agent is told: `Ok`, or text, remedy and exit code.
#[derive(Debug)]
struct Told(Result<(), (String, String, u8)>);

impl Told {
    #[track_caller]
    fn says(&self, text: &str, remedy: &str, exit: u8) {
        let (found, found_remedy, found_exit) = self.0.as_ref().unwrap_err();
        assert!(found.contains(text) && found_remedy.contains(remedy) && *found_exit == exit, "{self:?}");
    }
}

/// A desk whose AD FS knows the agent by the certificate `agent.pem`.
fn desk() -> Desk {
    let desk = Desk::new(Version::V2019);
    make(&desk, "agent", "rsa:2048");
    configure(&desk, "agent", AGENT);
    let der = openssl(&desk, "x509 -in agent.pem -outform DER");
    let public_key = openssl(&desk, "rsa -in agent.key -RSAPublicKey_out -outform DER");
    let endpoint = format!("{}/adfs/oauth2/token", desk.sts.url);
    desk.sts.state().registered = Some(Registered {
        client_id: AGENT.to_owned(),
        certificate: der,
        public_key,
        endpoint,
        seen: Default::default(),
    });
    desk
}

fn openssl(desk: &Desk, arguments: &str) -> Vec<u8> {
    support::openssl::in_folder(desk.folder.path(), arguments)
}

fn make(desk: &Desk, name: &str, kind: &str) {
    openssl(
        desk,
        &format!("req -x509 -newkey {kind} -nodes -keyout {name}.key -out {name}.pem -subj /CN={name} -days 3"),
    );
    set_mode(&desk.path(&format!("{name}.key")), 0o600);
}

fn configure(desk: &Desk, name: &str, client: &str) {
    desk.configure(&format!(
        "[agent]\nadfs_client_id = \"{client}\"\nadfs_certificate_file = \"{}\"\nadfs_key_file = \"{}\"",
        with_slashes(&desk.path(&format!("{name}.pem"))),
        with_slashes(&desk.path(&format!("{name}.key"))),
    ));
}

/// The agent's client, as a running agent keeps it.
fn agent(desk: &Desk) -> Config {
    let environment = [("XDG_STATE_HOME".to_owned(), desk.path("state").into())];
    Config::load(Some(&desk.path("config.toml")), &environment).unwrap_or_else(|error| panic!("{}", error_text(&error)))
}

/// One job's calls: each job has a client of its own.
fn call(config: &Config) -> Told {
    let client = Client::new(&config.server_of_agent().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Told(
        runtime
            .block_on(client.requests("Approved"))
            .map(drop)
            .map_err(|error| (error_text(&error), error.problem.remedy(), Exit::from(&error) as u8)),
    )
}

#[test]
fn the_agent_signs_in_with_a_certificate_and_keeps_its_token_in_memory() {
    let desk = desk();
    let config = agent(&desk);
    let settings = config.server_of_agent().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Several jobs with clients of their own share what was fetched once.
    for _ in 0..3 {
        let client = Client::new(&settings).unwrap();
        runtime.block_on(client.requests("Approved")).unwrap();
    }
    assert_eq!(desk.sts.asked("client_credentials"), 1);
    // Refused before its time: fetched anew, once, with another assertion.
    desk.server.inject(Fault::on(Endpoint::Requests, FaultKind::status_with(401, "WWW-Authenticate", "Bearer")));
    let client = Client::new(&settings).unwrap();
    runtime.block_on(client.requests("Approved")).unwrap();
    assert_eq!(desk.sts.asked("client_credentials"), 2);
    desk.server.inject(Fault::on(Endpoint::Requests, FaultKind::status(401)).always());
    let error = runtime.block_on(client.requests("Approved")).unwrap_err();
    assert!(error_text(&error).contains("names a client and no user"), "{}", error_text(&error));
    assert!(error.problem.remedy().contains("UPN") && error.problem.remedy().contains("agent.keytab_file"));
    assert_eq!(desk.sts.asked("client_credentials"), 3);
    // No file has it.
    assert!(!desk.path("state/pinwright").join("adfs-token.json").exists());
    desk.assert_no_secret_in(&[]);
}

#[test]
fn a_token_that_ends_within_a_minute_is_fetched_anew_for_each_job() {
    let desk = desk();
    let config = agent(&desk);
    let settings = config.server_of_agent().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (lifetime, asked) in [(50, 1), (50, 2), (3600, 3), (3600, 3)] {
        desk.sts.state().lifetime = lifetime;
        runtime.block_on(Client::new(&settings).unwrap().requests("Approved")).unwrap();
        assert_eq!(desk.sts.asked("client_credentials"), asked, "{lifetime}");
    }
}

#[test]
fn what_adfs_does_not_take_is_told_with_certificate_and_clock() {
    let desk = desk();
    let config = agent(&desk);
    // Not the client that it knows.
    configure(&desk, "agent", "another-client");
    call(&agent(&desk)).says("does not know this client", "agent.adfs_client_id", 5);
    // Another certificate than the registered one: told by name and thumbprint.
    make(&desk, "other", "rsa:2048");
    configure(&desk, "other", AGENT);
    let told = call(&agent(&desk));
    told.says("the agent has shown certificate \"other\" (", "Set-AdfsServerApplication -JWTSigningCertificate", 5);
    let thumbprint = openssl(&desk, "x509 -in other.pem -noout -fingerprint -sha1");
    let thumbprint = String::from_utf8(thumbprint).unwrap().trim().rsplit('=').next().unwrap().replace(':', "");
    assert!(told.0.as_ref().unwrap_err().0.contains(&thumbprint), "{told:?}");
    // A clock that differs, one way and the other.
    for (ahead, said) in [(1200, "behind AD FS's"), (-1200, "s ahead of AD FS's")] {
        desk.sts.state().ahead = ahead;
        call(&config).says(said, "set both clocks by the same time service", 5);
    }
    desk.sts.state().ahead = 0;
    // Only 2016 and later know it.
    desk.sts.state().version = Version::R2012;
    configure(&desk, "agent", support::adfs::CLIENT);
    call(&agent(&desk)).says("unsupported_grant_type", "agent.keytab_file", 5);
    desk.sts.state().instead = Some((400, "{\"error\":\"invalid_resource\"}".to_owned()));
    call(&config).says("does not know the resource", "server.adfs_resource", 5);
    desk.sts.state().instead = Some((503, "<html>".to_owned()));
    call(&config).says("answers with HTTP status 503", "server.adfs_url", 6);
    desk.assert_no_secret_in(&[]);
}

/// The words of AD FS hold what it was sent: they are left out.
#[test]
fn an_assertion_is_told_to_nobody_and_is_good_once() {
    let desk = desk();
    let config = agent(&desk);
    assert!(call(&config).0.is_ok() && call(&agent(&desk)).0.is_ok());
    let state = desk.sts.state();
    assert_eq!(state.registered.as_ref().unwrap().seen.len(), 2, "each has a number of its own");
    let forms: Vec<_> = state.seen.iter().map(|(_, form)| form["client_assertion"].clone()).collect();
    assert_ne!(forms[0], forms[1]);
}

#[test]
fn what_is_wrong_with_certificate_or_key_is_told_before_anybody_is_asked() {
    let desk = desk();
    make(&desk, "curve", "ec -pkeyopt ec_paramgen_curve:P-256");
    configure(&desk, "curve", AGENT);
    call(&agent(&desk)).says("curve.key is no RSA key", "RSA key of 2048 bits", 2);
    for (from, until, said) in [(2090, 2091, "is not valid before 2090-01-01"), (2000, 2001, "expired on 2001-01-01")] {
        let key = rcgen::KeyPair::from_pem(&std::fs::read_to_string(desk.path("agent.key")).unwrap()).unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        (parameters.not_before, parameters.not_after) =
            (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(until, 1, 1));
        std::fs::write(desk.path("time.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::copy(desk.path("agent.key"), desk.path("time.key")).unwrap();
        configure(&desk, "time", AGENT);
        call(&agent(&desk)).says(said, "check this machine's clock", 2);
    }
    configure(&desk, "agent", AGENT);
    std::fs::copy(desk.path("curve.pem"), desk.path("agent.pem")).unwrap();
    call(&agent(&desk)).says(
        "is not that of the certificate",
        "`agent.adfs_certificate_file` and `agent.adfs_key_file`",
        2,
    );
    set_mode(&desk.path("agent.key"), 0o604);
    let (who, command) = EVERYBODY_CAN_READ;
    call(&agent(&desk)).says(who, command, 2);
    std::fs::remove_file(desk.path("agent.key")).unwrap();
    call(&agent(&desk)).says("agent.key can't be read", "let this user read", 2);
    assert_eq!(desk.sts.asked("client_credentials"), 0);
}

/// Persons sign in as persons, whatever the agent has.
#[test]
fn commands_of_a_person_do_not_use_the_agents_certificate() {
    let desk = desk();
    desk.run(&["--json", "set-pin", "--yes"]).says(5, &["nobody is signed in", "pinwright login"]);
    desk.login().says(0, &["alice@contoso.com"]);
    desk.run(&["--json", "set-pin", "--yes"]).says(0, &["\"outcome\":\"done\""]);
    assert_eq!(desk.sts.asked("client_credentials"), 0);
}

#[test]
fn a_check_of_the_agent_names_its_certificate_and_signs_in() {
    let desk = desk();
    let got = desk.run(&["agent", "--check"]);
    assert!(got.out.contains("AD FS as a client, with certificate \"agent\" ("), "{got:?}");
    assert!(got.out.contains("\"adfs\" is accepted"), "{got:?}");
    let given = ["59", "60"]
        .map(|minutes| format!("AD FS has given one for {minutes} min; the agent fetches the next one by itself"));
    assert!(given.iter().any(|given| got.out.contains(given.as_str())), "{got:?}");
    desk.assert_no_secret_in(&[&got]);
    std::fs::remove_file(desk.path("agent.key")).unwrap();
    let got = desk.run(&["agent", "--check"]);
    got.says(2, &["agent.key can't be read"]);
}

/// The stand-in by itself: what it refuses, so that a sign-in that it takes says something about ours.
#[test]
fn the_stand_in_takes_each_assertion_once_and_only_as_it_was_signed() {
    use std::io::{Read as _, Write as _};
    let desk = desk();
    assert!(call(&agent(&desk)).0.is_ok());
    let (_, shown) = desk.sts.state().seen.last().unwrap().clone();
    let post = |assertion: &str| {
        let mut form = shown.clone();
        form.insert("client_assertion".to_owned(), assertion.to_owned());
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
        let host = desk.sts.url.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        let length = body.len();
        write!(stream, "POST /adfs/oauth2/token HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let assertion = &shown["client_assertion"];
    assert!(post(assertion).contains("used before"));
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let changed = if signature.starts_with('A') { "B" } else { "A" };
    assert!(post(&format!("{signed}.{changed}{}", &signature[1..])).contains("the signature is wrong"));
    // An assertion for somebody else's endpoint.
    let client = desk.sts.state().registered.take().unwrap();
    desk.sts.state().registered = Some(Registered { endpoint: "https://other/adfs/oauth2/token".to_owned(), ..client });
    call(&agent(&desk)).says("another audience", "agent.adfs_client_id", 5);
}
