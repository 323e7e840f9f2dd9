//! The technician: tickets of `kinit` in a cache.

use std::os::unix::fs::PermissionsExt;

use support::kerberos::{Ccache, Realm, Site};

use crate::bed::Bed;

#[test]
fn the_tickets_of_kinit_sign_in() {
    let Some(bed) = Bed::start(&Site { http2: true, ..Site::default() }) else { return };
    let alice = bed.realm.person("alice", "1h");
    let called = bed.caller().tickets(&alice).calls("requests requests create");
    assert_eq!(called.succeed().answers.len(), 3);
    assert_eq!(bed.users(), ["alice@LAB.TEST"; 3]);
    // The first request of all has no token, and each later one has a token from the beginning: POST bodies, too.
    support::waiting::until("the last line of the log", || bed.apache.calls().len() >= 4);
    let calls = bed.apache.calls();
    let statuses: Vec<&str> = calls.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    // All that reads goes over one connection, whose 401 was read to its end; what changes the server has one of its own.
    let expected = [
        "0 HTTP/1.1 - 401 GET",
        "1 HTTP/1.1 alice@LAB.TEST 200 GET",
        "2 HTTP/1.1 alice@LAB.TEST 200 GET",
        "0 HTTP/1.1 alice@LAB.TEST 201 POST",
    ];
    assert_eq!(statuses, expected, "HTTP/1.1, although HTTP/2 is offered: {calls:?}");
    assert_no_token(&called.log);
}

/// Nothing of the log is long enough for a token, and looks like one.
#[track_caller]
fn assert_no_token(log: &str) {
    assert!(log.contains("GET requests") || log.contains("requests"), "calls are logged: {log}");
    let is_of_base64 = |character: char| character.is_ascii_alphanumeric() || matches!(character, '+' | '/' | '=');
    let longest = log.split(|character| !is_of_base64(character)).map(str::len).max().unwrap_or_default();
    assert!(longest < 100, "a run of {longest} characters of base64: {log}");
    assert!(!log.contains("Negotiate Y") && !log.contains("Negotiate o"), "{log}");
}

/// What changes the server is the first call of all: its body goes out with a token all the same.
#[test]
fn a_post_is_never_the_request_that_learns_how_to_sign_in() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    bed.caller().tickets(&alice).calls("create").succeed();
    support::waiting::until("the last line of the log", || bed.apache.calls().len() >= 3);
    let calls = bed.apache.calls();
    let posts: Vec<_> = calls.iter().filter(|line| line.contains("POST")).collect();
    assert!(posts.len() == 1 && posts[0].contains("alice@LAB.TEST 201"), "{calls:?}");
    // Who can't sign in has sent none.
    let answer = bed.caller().calls("create").only().clone();
    assert_eq!(answer["outcome"], "not sent", "{answer}");
}

#[test]
fn of_several_principals_the_configured_one_signs_in() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let folder = bed.realm.path("caches");
    std::fs::create_dir(&folder).unwrap();
    let all = Ccache(format!("DIR:{}", folder.display()));
    bed.realm.person("alice", "1h");
    bed.realm.person("bob", "1h");
    bed.realm.sign_in("bob", &all, "1h");
    bed.realm.sign_in("alice", &all, "1h");
    bed.caller().tickets(&all).calls("requests").succeed();
    bed.caller().tickets(&all).key("principal = \"bob@LAB.TEST\"").calls("requests").succeed();
    bed.caller().tickets(&all).key("principal = \"bob\"").calls("requests").succeed();
    assert_eq!(bed.users(), ["alice@LAB.TEST", "bob@LAB.TEST", "bob@LAB.TEST"]);
    // One who is not there is not replaced by another.
    let failed = bed.caller().tickets(&all).key("principal = \"carol@LAB.TEST\"").fails();
    failed.says("there is no Kerberos ticket for carol@LAB.TEST", "server.principal", 5);
    assert_eq!(bed.users().len(), 3);
}

#[test]
fn without_tickets_and_with_old_ones_kinit_is_named() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    bed.caller().fails().says("nobody has signed in to Kerberos here: No", "kinit", 5);
    let alice = bed.realm.person("alice", "1s");
    // Each answer takes longer than what is left of the ticket.
    bed.server.state().change(|settings| settings.latency = std::time::Duration::from_millis(1200));
    let called = bed.caller().tickets(&alice).calls("requests requests requests");
    let last = called.answers.last().unwrap();
    assert!(last["text"].as_str().unwrap().contains("the Kerberos ticket has expired: "), "in mid-job: {last}");
    assert!(last["remedy"].as_str().unwrap().contains("kinit"), "{last}");
    assert_eq!(last["exit"], 5);
}

#[test]
fn sixty_calls_at_once() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    let called = bed.caller().tickets(&alice).key("timeout = \"60s\"").calls("requests at-once:60");
    assert_eq!(called.succeed().answers.len(), 61);
    assert!(bed.users().iter().all(|user| user == "alice@LAB.TEST"));
}

#[test]
fn the_servers_name_is_that_of_the_url_or_the_configured_one() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    let caller = |spn: &str| bed.caller().tickets(&alice).key(&format!("spn = \"{spn}\""));
    for spn in ["HTTP/localhost", "HTTP/localhost@LAB.TEST"] {
        caller(spn).calls("requests").succeed();
    }
    // The realm is that of the host, and not the one that this machine takes for its own.
    let text = std::fs::read_to_string(bed.realm.path("krb5.conf")).unwrap();
    let other = bed.realm.path("other-realm.conf");
    std::fs::write(&other, text.replace("default_realm = LAB.TEST", "default_realm = OTHER.TEST")).unwrap();
    let elsewhere = bed.caller().tickets(&alice).variable("KRB5_CONFIG", &other.display().to_string());
    elsewhere.calls("requests").succeed();
    let failed = caller("HTTP/nobody.lab.test@LAB.TEST").fails();
    failed.says(
        "the KDC does not know the server as HTTP/nobody.lab.test@LAB.TEST: ",
        "setspn -S HTTP/nobody.lab.test ",
        5,
    );
    // A name of another account: the server gets a ticket that it can't read, and says so in its own token.
    bed.realm.add("HTTP/other.lab.test");
    let failed = caller("HTTP/other.lab.test@LAB.TEST").fails();
    failed.says("HTTP/other.lab.test@LAB.TEST", "setspn -Q HTTP/other.lab.test", 5);
    assert_eq!(bed.users().len(), 3);
}

#[test]
fn a_server_whose_key_was_changed_is_told_from_one_that_refuses_the_user() {
    if !support::kerberos::is_here() {
        return;
    }
    let realm = Realm::start();
    let keep = |path: &std::path::Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
    let stale = realm.path("stale.keytab");
    std::fs::copy(realm.http_keytab(), &stale).unwrap();
    let newer = realm.keytab("HTTP/localhost", "newer.keytab");
    [&stale, &newer].into_iter().for_each(|path| keep(path));
    let bed = Bed::over(realm, &Site { keytab: Some(stale), ..Site::default() });
    let alice = bed.realm.person("alice", "1h");
    let failed = bed.caller().tickets(&alice).fails();
    failed.says("the server can't read the ticket for HTTP/localhost: ", "setspn -Q HTTP/localhost", 5);

    let bed = Bed::over(bed.realm, &Site { keytab: Some(newer), lets_in: Some("carol"), ..Site::default() });
    let failed = bed.caller().tickets(&alice).fails();
    failed.says("does not let this user in", "added there", 5);
}
