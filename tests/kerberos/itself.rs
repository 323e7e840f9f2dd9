//! The bed by itself: what another client finds there, so that a test that passes says something about ours.

use std::process::Command;

use support::kerberos::{Ccache, Site};

use crate::bed::Bed;

/// Status by curl, which sends Kerberos inside of SPNEGO.
fn curl(bed: &Bed, cache: &Ccache, arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    bed.realm.furnish(&mut command);
    command.env("KRB5CCNAME", &cache.0).args([
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
        "--cacert",
    ]);
    let url = format!("{}/api/v1.0/requests?status=Approved", bed.apache.url(&bed.server.base_url()));
    let output = command.arg(bed.apache.ca_file()).args(arguments).arg(url).output().expect("curl starts");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn another_client_signs_in_with_spnego_and_ours_with_kerberos_alone() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    let spnego = ["--negotiate", "--user", ":"];
    assert_eq!(curl(&bed, &alice, &spnego), "200");
    assert_eq!(bed.users(), ["alice@LAB.TEST"]);
    assert_eq!(curl(&bed, &Ccache("FILE:/nonexistent/tickets".to_owned()), &spnego), "401");
    assert_eq!(curl(&bed, &alice, &[]), "401");
    bed.caller().tickets(&alice).calls("requests").succeed();
    assert_eq!(bed.users(), ["alice@LAB.TEST", "alice@LAB.TEST"]);
}

/// Why no token is ever sent twice.
#[test]
fn a_token_is_taken_once() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    let token = crate::wire::a_token(&bed, &alice);
    let header = format!("Authorization: Negotiate {token}");
    assert_eq!(curl(&bed, &alice, &["--header", &header]), "200");
    assert_eq!(curl(&bed, &alice, &["--header", &header]), "401");
    assert!(bed.apache.log().contains("replay"), "{}", bed.apache.log());
}
