//! Whole jobs on a card after a sign-in: renewed before its end and in the middle, refused, and kept by several processes.

use pinwright::sim::server::{Endpoint, Fault, FaultKind};

use crate::desk::Desk;
use support::adfs::Version;
use support::rights::{EVERYBODY_CAN_READ, OTHERS_CAN_WRITE, set_mode};

const JOB: [&str; 3] = ["--json", "set-pin", "--yes"];

#[test]
fn a_card_gets_its_pin_after_a_sign_in() {
    let desk = Desk::new(Version::R2012);
    desk.run(&JOB).says(5, &["nobody is signed in", "pinwright login"]);
    assert!(desk.server.requests().is_empty());
    let login = desk.login();
    let got = desk.run(&JOB);
    got.says(0, &["\"outcome\":\"done\""]);
    assert!(desk.server.requests().iter().all(|seen| seen.authorization == Some("Bearer")));
    assert_eq!(desk.sts.asked("refresh_token"), 0);
    desk.assert_no_secret_in(&[&login, &got]);
}

/// Less than a minute left is too little; the answer has no new refresh token, or a new one that takes the old one's place.
#[test]
fn a_token_that_ends_soon_is_renewed_before_it_is_shown() {
    for rotates in [false, true] {
        let desk = Desk::new(Version::V2019);
        desk.sts.state().lifetime = 50;
        desk.sts.state().rotates = rotates;
        desk.login();
        let before = std::fs::read_to_string(desk.token_file()).unwrap();
        desk.sts.state().lifetime = 3600;
        let got = desk.run(&JOB);
        got.says(0, &["\"outcome\":\"done\""]);
        assert_eq!(desk.sts.asked("refresh_token"), 1);
        assert!(desk.server.requests().iter().all(|seen| seen.status != Some(401)));
        let after = std::fs::read_to_string(desk.token_file()).unwrap();
        assert_ne!(before, after);
        assert_eq!(after.contains("refresh-token-secret-2"), rotates);
        desk.assert_no_secret_in(&[&got]);
    }
}

/// The two secret calls are under way at once: one of them renews, the other one takes what it got.
#[test]
fn a_token_that_is_refused_in_mid_job_is_renewed_once_for_all() {
    let desk = Desk::new(Version::V2019);
    desk.login();
    for endpoint in [Endpoint::CardPolicy, Endpoint::AuthenticationResponse] {
        desk.server.inject(Fault::on(endpoint, FaultKind::status_with(401, "WWW-Authenticate", "Bearer")));
    }
    let got = desk.run(&JOB);
    got.says(0, &["\"outcome\":\"done\""]);
    assert!(desk.sts.asked("refresh_token") >= 1);
    desk.assert_no_secret_in(&[&got]);
    // Refused for good: renewed once, and not again and again.
    let asked = desk.sts.asked("refresh_token");
    desk.server.inject(Fault::on(Endpoint::Smartcards, FaultKind::status(401)).always());
    let got = desk.run(&["--json", "set-pin", "--yes", "--again"]);
    got.says(5, &["the new one is refused too", "pinwright whoami"]);
    assert_eq!(desk.sts.asked("refresh_token"), asked + 1);
}

#[test]
fn a_refused_renewal_asks_for_a_new_sign_in_and_leaves_the_card() {
    let desk = Desk::new(Version::V2019);
    desk.sts.state().lifetime = 10;
    desk.login();
    let text = std::fs::read_to_string(desk.token_file()).unwrap();
    std::fs::write(desk.token_file(), text.replace("refresh-token-secret-1", "refresh-token-revoked")).unwrap();
    desk.sts.state().secrets.push("refresh-token-revoked".to_owned());
    let got = desk.run(&JOB);
    got.says(5, &["invalid_grant", "sign in again with `pinwright login`", "\"card_state\":\"untouched\""]);
    desk.assert_no_secret_in(&[&got]);
    // No refresh token at all.
    desk.sts.state().no_refresh = true;
    desk.login();
    desk.run(&JOB).says(5, &["AD FS has given no refresh token", "pinwright login"]);
    // AD FS can't be had: that may pass.
    desk.sts.state().no_refresh = false;
    desk.login();
    desk.sts.state().instead = Some((503, "<html>".to_owned()));
    desk.run(&JOB).says(6, &["answers with HTTP status 503"]);
}

/// A refresh token that is good once only: whoever comes second takes what the first one got.
#[test]
fn commands_that_renew_at_once_do_it_one_after_the_other() {
    let desk = Desk::new(Version::V2019);
    desk.sts.state().lifetime = 10;
    desk.sts.state().rotates = true;
    desk.login();
    desk.sts.state().lifetime = 3600;
    let running: Vec<_> = (0..4).map(|_| desk.start(&["plan"])).collect();
    for one in running {
        one.finish().says(0, &[]);
    }
    assert_eq!(desk.sts.asked("refresh_token"), 1);
}

#[test]
fn a_file_that_is_not_ours_alone_or_of_another_sign_in_is_not_used() {
    let desk = Desk::new(Version::V2019);
    desk.login();
    let text = std::fs::read_to_string(desk.token_file()).unwrap();
    std::fs::write(desk.token_file(), text.replace("\"version\":1", "\"version\":9")).unwrap();
    desk.run(&["whoami"]).says(2, &["holds no sign-in", "remove"]);
    std::fs::write(desk.token_file(), &text).unwrap();
    desk.configure("");
    let config = std::fs::read_to_string(desk.path("config.toml")).unwrap();
    std::fs::write(desk.path("config.toml"), config.replace("cm.contoso.com", "other.contoso.com")).unwrap();
    desk.run(&JOB).says(5, &["is for another AD FS, client or resource", "pinwright login"]);
    desk.configure("");
    for (mode, (said, command)) in [(0o604, EVERYBODY_CAN_READ), (0o602, OTHERS_CAN_WRITE)] {
        set_mode(&desk.token_file(), mode);
        desk.run(&JOB).says(2, &["adfs-token.json is not used", said, command]);
    }
}
