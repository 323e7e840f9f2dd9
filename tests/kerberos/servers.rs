//! Servers that prove nothing, that want something else, and proxies on the way.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use support::kerberos::{Proof, Site};

use crate::bed::{Bed, Caller};
use crate::wire::Scripted;

#[test]
fn a_success_that_proves_nothing_is_not_used() {
    for (proof, text) in [
        (Proof::Missing, "its answer came without a token"),
        (Proof::Changed, "has not proved that it is HTTP/localhost: "),
    ] {
        let Some(bed) = Bed::start(&Site { proof, ..Site::default() }) else { return };
        let alice = bed.realm.person("alice", "1h");
        let failed = bed.caller().tickets(&alice).fails();
        failed.says(text, "", 5);
        assert_eq!(bed.users(), ["alice@LAB.TEST"], "once: the server has carried it out");
    }
}

/// What may have changed the server is in doubt then, and is not done again.
#[test]
fn a_change_whose_success_proves_nothing_is_lost() {
    let Some(bed) = Bed::start(&Site { proof: Proof::Missing, ..Site::default() }) else { return };
    let alice = bed.realm.person("alice", "1h");
    let called = bed.caller().tickets(&alice).calls("requests create");
    let outcomes: Vec<&str> = called.answers.iter().map(|answer| answer["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["failed", "lost"], "{:?}", called.answers);
    // As the first call of all it is not sent: the look before it has failed.
    let answer = bed.caller().tickets(&alice).calls("create").only().clone();
    assert_eq!(answer["outcome"], "not sent", "{answer}");
    let front = Scripted::start(|_, _| "401 Unauthorized\r\nWWW-Authenticate: Negotiate");
    let answer = Caller::of(&bed.realm, &front.url, None).tickets(&alice).calls("create").only().clone();
    assert_eq!(answer["outcome"], "not sent", "{answer}");
    assert!(front.received().iter().all(|request| request.starts_with("GET ")), "{:?}", front.received());
}

#[test]
fn ntlm_is_neither_sent_nor_taken() {
    let Some(bed) = Bed::start(&Site { ntlm: true, ..Site::default() }) else { return };
    let users = bed.realm.path("ntlm-user");
    std::fs::write(&users, "LAB:bob:password\n").unwrap();
    // A mechanism and a password for it are at hand.
    let caller = || bed.caller().variable("NTLM_USER_FILE", &users.display().to_string());
    caller().fails().says("nobody has signed in to Kerberos here", "kinit", 5);
    let alice = bed.realm.person("alice", "1h");
    caller().tickets(&alice).calls("requests").succeed();
    assert_eq!(bed.users(), ["alice@LAB.TEST"]);

    let front = Scripted::start(|_, _| "401 Unauthorized\r\nWWW-Authenticate: NTLM");
    let failed = Caller::of(&bed.realm, &front.url, None).tickets(&alice).fails();
    failed.says("it offers NTLM and not Kerberos", "Negotiate has to stand before NTLM", 5);
    let front = Scripted::start(|_, _| "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"");
    let failed = Caller::of(&bed.realm, &front.url, None).tickets(&alice).fails();
    failed.says("it offers Basic", "server.auth", 5);
    // It takes the name Negotiate for NTLM.
    let ntlm = |number, _: &str| match number {
        0 => "401 Unauthorized\r\nWWW-Authenticate: Negotiate",
        _ => "401 Unauthorized\r\nWWW-Authenticate: Negotiate TlRMTVNTUAACAAAAAAAAADgAAAABAAAA",
    };
    let front = Scripted::start(ntlm);
    let failed = Caller::of(&bed.realm, &front.url, None).tickets(&alice).fails();
    failed.says("answers Kerberos with NTLM", "setspn", 5);
    assert_eq!(front.received().len(), 2);
}

#[test]
fn a_server_that_does_not_ask_is_not_used() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let front = Scripted::start(|_, _| "200 OK\r\nContent-Type: application/json");
    let failed = Caller::of(&bed.realm, &front.url, None).fails();
    failed.says("answers without asking who we are", "Anonymous Authentication off", 5);
}

/// A proxy that wants a name and a password gets no token.
#[test]
fn a_proxy_is_not_shown_a_ticket() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&seen);
    std::thread::spawn(move || {
        for mut stream in proxy.incoming().map_while(Result::ok) {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap_or_default();
            kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
            let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic \
                          realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let failed = bed.caller().tickets(&alice).key(&format!("proxy = \"http://{address}\"")).fails();
    failed.says("through the proxy", "server.proxy", 6);
    let seen = seen.lock().unwrap();
    assert!(seen.starts_with("CONNECT localhost:"), "{seen}");
    assert!(!seen.contains("Negotiate") && !seen.to_ascii_lowercase().contains("authorization"), "{seen}");
    drop(seen);
    // One that answers 407 in the server's place.
    let front = Scripted::start(|_, _| "407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate");
    let failed = Caller::of(&bed.realm, &front.url, None).tickets(&alice).fails();
    failed.says("407", "server.proxy", 5);
    assert_eq!(front.tokens(), [None]);
}

#[test]
fn a_redirect_takes_no_ticket_along() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    let stranger = Scripted::start(|_, _| "200 OK");
    let location = format!("302 Found\r\nLocation: {}/", stranger.url);
    let front = Scripted::start(move |number, _| match number {
        0 => "401 Unauthorized\r\nWWW-Authenticate: Negotiate".to_owned(),
        _ => location.clone(),
    });
    let failed = Caller::of(&bed.realm, &front.url, None).tickets(&alice).fails();
    failed.says("the server redirects (302)", "server.url", 6);
    assert_eq!((front.received().len(), stranger.received().len()), (2, 0));
}
