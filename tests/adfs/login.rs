//! `login`, `logout` and `whoami`.

use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use url::Url;

use crate::desk::{Desk, no_browser_of_the_system};
use support::adfs::{Version, get, send};
use support::repository::with_slashes;

#[test]
fn a_person_signs_in_by_browser_and_is_told_who_they_are() {
    for version in [Version::R2012, Version::V2019] {
        let desk = Desk::new(version);
        desk.run(&["whoami"]).says(5, &["nobody is signed in", "pinwright login"]);
        let login = desk.login();
        login.says(0, &["\"schema\":\"pinwright.login/1\"", "alice@contoso.com"]);
        let object = desk.run(&["--json", "whoami"]);
        let told = &object.json();
        assert_eq!((told["schema"].as_str(), told["kind"].as_str()), (Some("pinwright.whoami/1"), Some("adfs")));
        assert_eq!(told["adfs"]["account"], "alice@contoso.com");
        assert_eq!(told["adfs"]["refresh_token"], true);
        desk.run(&["whoami"]).says(0, &["only the server verifies it", "A refresh token renews it until"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(desk.token_file()), mode(desk.path("state/pinwright"))), (0o600, 0o700));
        }
        let logout = desk.run(&["logout"]);
        logout.says(0, &["is removed"]);
        assert!(!desk.token_file().exists());
        assert_eq!(desk.run(&["--json", "logout"]).json()["removed"], false);
        desk.assert_no_secret_in(&[&login, &object, &logout]);
    }
}

/// Any page can send a browser to the port: only the answer to this sign-in counts.
#[test]
fn what_is_no_answer_to_this_sign_in_is_refused_and_the_right_one_still_counts() {
    no_browser_of_the_system();
    let desk = Desk::new(Version::V2019);
    let running = desk.start(&["login"]);
    let address = running.address();
    let own = |rest: &str| Url::parse(&format!("http://127.0.0.1:{}{rest}", desk.port)).unwrap();
    let host = format!("127.0.0.1:{}", desk.port);
    assert_eq!(send(&own("/?code=stolen&state=other"), &host, "GET").0, 400);
    assert_eq!(send(&own("/?code=stolen"), &host, "GET").0, 400);
    assert_eq!(send(&own("/?error=access_denied&state=x"), &host, "GET").0, 400);
    assert_eq!(send(&own("/favicon.ico"), &host, "GET").0, 404);
    let back = get(&address).1.unwrap();
    let back = Url::parse(&back).unwrap();
    // A page of another site whose name leads here, and another method.
    assert_eq!(send(&back, "evil.example:80", "GET").0, 404);
    assert_eq!(send(&back, &host, "POST").0, 404);
    // One that says nothing keeps nobody waiting.
    let _silent = std::net::TcpStream::connect(("127.0.0.1", desk.port)).unwrap();
    assert_eq!(send(&back, &host, "GET").0, 200);
    let got = running.finish();
    got.says(0, &["Signed in as alice@contoso.com"]);
    assert_eq!(desk.sts.asked("authorization_code"), 1);
    desk.assert_no_secret_in(&[&got]);
}

#[test]
fn a_no_of_adfs_is_told_with_its_words_escaped() {
    no_browser_of_the_system();
    let desk = Desk::new(Version::V2019);
    desk.sts.state().denies = true;
    let running = desk.start(&["login"]);
    let back = get(&running.address()).1.unwrap();
    assert_eq!(get(&back).0, 200);
    running.finish().says(5, &["access_denied (MSIS9604: no)", "sign in as a user"]);
    assert!(!desk.token_file().exists());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let desk = Desk::new(Version::V2019);
    let _other = TcpListener::bind(("127.0.0.1", desk.port)).unwrap();
    desk.run(&["login"]).says(2, &[&format!("port {}", desk.port), "server.adfs_redirect_port", "--no-browser"]);
}

#[test]
fn ctrl_c_backs_out_and_without_a_terminal_nobody_is_asked() {
    no_browser_of_the_system();
    let desk = Desk::new(Version::V2019);
    let running = desk.start(&["login"]);
    running.address();
    let begun = Instant::now();
    running.interrupted.store(true, Ordering::Relaxed);
    running.finish().says(10, &["given up"]);
    assert!(begun.elapsed() < Duration::from_secs(10));
    desk.run(&["login", "--no-browser"]).says(10, &["no terminal"]);
}

#[test]
fn a_code_for_another_device_is_asked_after_until_it_was_entered() {
    let desk = Desk::new(Version::V2019);
    desk.sts.state().pending = 2;
    let got = desk.run(&["login", "--device"]);
    got.says(0, &["https://sts/adfs/oauth2/deviceauth", "BCDFGHJ", "Signed in as alice"]);
    // slow_down, then tokens.
    assert_eq!(desk.sts.asked("urn:ietf:params:oauth:grant-type:device_code"), 2);
    desk.assert_no_secret_in(&[&got]);
    let old = Desk::new(Version::R2012);
    old.run(&["login", "--device"]).says(5, &["unsupported_grant_type", "leave `--device` out"]);
    for (error, said) in [
        ("expired_token", "was not entered in time"),
        ("access_denied", "has denied"),
        ("invalid_client", "server.adfs_client_id"),
        ("invalid_resource", "server.adfs_resource"),
        ("unheard_of", "unheard_of: \\u{1b}[31m"),
    ] {
        let body = format!("{{\"error\":\"{error}\",\"error_description\":\"\\u001b[31mno\"}}");
        desk.sts.state().instead = Some((400, body));
        let got = desk.run(&["login", "--device"]);
        got.says(5, &[said]);
        assert!(!got.err.contains('\u{1B}'), "{got:?}");
    }
    desk.sts.state().instead = Some((200, "<html>".to_owned()));
    desk.run(&["login", "--device"]).says(6, &["not as AD FS does", "server.adfs_url"]);
}

#[test]
fn other_kinds_have_nothing_to_log_in_to_and_say_what_they_can() {
    let desk = Desk::new(Version::V2019);
    let token = desk.path("token");
    std::fs::write(&token, "opaque-token").unwrap();
    let config = |auth: &str| {
        let url = desk.server.base_url();
        std::fs::write(desk.path("config.toml"), format!("[server]\nurl = \"{url}\"\n{auth}\n")).unwrap();
    };
    config(&format!("auth = \"bearer\"\ntoken_file = \"{}\"", with_slashes(&token)));
    desk.run(&["login"]).says(2, &["server.auth", "is not \"adfs\""]);
    let got = desk.run(&["whoami"]);
    got.says(0, &["bearer: a bearer token is there", "the server decides"]);
    assert!(!got.out.contains("opaque-token"));
    config("");
    assert_eq!(desk.run(&["--json", "whoami"]).json()["kind"], "none");
}

/// What `doctor` says of a person's sign-in, by what the file says of its ends.
#[test]
fn a_doctor_tells_how_long_a_sign_in_lasts() {
    let desk = Desk::new(Version::V2019);
    let token = |desk: &Desk| {
        let got = desk.run(&["--json", "doctor"]);
        let object = got.json();
        let lines = object["probes"].as_array().unwrap_or_else(|| panic!("{got:?}"));
        let line = lines.iter().find(|line| line["probe"] == "token").unwrap_or_else(|| panic!("{got:?}")).clone();
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        desk.assert_no_secret_in(&[&got]);
        (text("state"), text("reason"), text("remedy"))
    };
    desk.login();
    let (state, reason, _) = token(&desk);
    assert_eq!(state, "ok");
    assert!(
        reason.starts_with("the access token is valid for ") && reason.contains("a refresh token renews it for 7 h ("),
        "{reason}"
    );
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(desk.token_file()).unwrap()).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let put = |expires: u64, refresh: Option<u64>| {
        let mut changed = kept.clone();
        changed["expires"] = expires.into();
        changed["refresh_expires"] = refresh.into();
        if refresh.is_none() {
            changed["refresh_token"] = serde_json::Value::Null;
        }
        std::fs::write(desk.token_file(), serde_json::to_vec(&changed).unwrap()).unwrap();
    };
    for (expires, refresh, expected_state, said) in [
        (now - 600, Some(now + 7200), "ok", "the access token has ended 10 min ago; a refresh token renews it for"),
        (now + 600, Some(now + 900), "warning", "the refresh token ends in 14 min"),
        (now - 600, Some(now - 300), "failed", "the refresh token has ended 5 min ago"),
        (now + 3600, None, "ok", "AD FS has given no refresh token"),
        (now + 100, None, "warning", "AD FS has given no refresh token"),
    ] {
        put(expires, refresh);
        let (state, reason, remedy) = token(&desk);
        assert!(state == expected_state && reason.contains(said), "{state} {reason}");
        assert!(state == "ok" || remedy.contains("pinwright login"), "{remedy}");
    }
}
