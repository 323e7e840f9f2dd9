//! KDCs that are not there, that say nothing, and clocks that differ.

use std::net::TcpListener;
use std::time::Duration;

use support::kerberos::Site;

use crate::bed::Bed;

#[test]
fn a_kdc_that_is_not_there_is_told_at_once() {
    let Some(mut bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    bed.realm.stop_kdc();
    let failed = bed.caller().tickets(&alice).fails();
    failed.says("no KDC can be reached: ", "port 88", 6);
    assert!(failed.elapsed < Duration::from_secs(8), "{failed:?}");
    // Tickets for a realm whose KDCs nobody knows.
    let file = bed.realm.path("no-realms.conf");
    std::fs::write(
        &file,
        "[libdefaults]\n default_realm = LAB.TEST\n dns_lookup_kdc = false\n[domain_realm]\n localhost = LAB.TEST\n",
    )
    .unwrap();
    let caller = bed.caller().tickets(&alice).variable("KRB5_CONFIG", &file.display().to_string());
    caller.fails().says("no KDC is known for the realm: ", "_kerberos._tcp", 5);
    // Once it is there, the same tickets do.
    bed.realm.start_kdc();
    bed.caller().tickets(&alice).calls("requests").succeed();
}

/// The library waits for half a minute, whatever it is configured to.
#[test]
fn a_kdc_that_says_nothing_costs_the_deadline_and_no_more() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = bed.realm.configuration("silent.conf", silent.local_addr().unwrap().port(), "");
    let caller = bed.caller().tickets(&alice).variable("KRB5_CONFIG", &config.display().to_string());
    let failed = caller.key("timeout = \"1s\"").fails();
    failed.says("no KDC has answered within 1 s", "KDC", 6);
    assert!(failed.elapsed < Duration::from_secs(15), "the process ends, too: {failed:?}");
}

#[test]
fn a_server_with_another_clock_gives_its_reason() {
    let Some(bed) = Bed::start(&Site { minutes_ahead: 20, ..Site::default() }) else { return };
    let alice = bed.realm.person("alice", "1h");
    let failed = bed.caller().tickets(&alice).fails();
    failed.says("differ by more than Kerberos allows: ", "time service", 5);
}
