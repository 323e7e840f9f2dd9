//! Plain HTTP is for this machine alone, which is decided by the address that is connected to, and not by the name.

use std::process::{Command, Stdio};
use std::time::Duration;

use pinwright::server::ServerProblem;

use crate::listener::{Act, Listener};
use crate::{bearer, block_on, caller};

/// Says what came of a call, in the helper process.
const TOLD: &str = "TOLD ";

/// Not a test: calls in a process for which names are other addresses.
#[test]
#[ignore = "helper process of the test below"]
fn calls_where_names_are_other_addresses() {
    let Ok(host) = std::env::var("PINWRIGHT_TEST_HOST") else { return };
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "CANARY").unwrap();
    let listener = Listener::start(false, |_| Act::Answer(200, "[]".to_owned()));
    let url = listener.url.replace("localhost", &host);
    let client = caller(&url, "", bearer(&token), Duration::from_secs(8));
    let told = match block_on(client.requests("Approved")) {
        Ok(_) => "answered".to_owned(),
        Err(error) => {
            assert!(matches!(error.problem, ServerProblem::Unreachable(_)), "{error:?}");
            format!("{}. {}", pinwright::error_text::error_text(&error), error.problem.remedy())
        }
    };
    println!("\n{TOLD}{} {} {told}", listener.connections(), listener.received().len());
}

/// The helper's word where these are the names of the machine; `None` where none can be given to it.
fn told(hosts: &str, host: &str) -> Option<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), hosts).unwrap();
    let mounted = "mount --bind \"$1\" /etc/hosts || { echo NO MOUNT; exit 0; }; shift; exec \"$@\"";
    for options in [&["--mount"][..], &["--map-root-user", "--mount"]] {
        let output = Command::new("unshare")
            .args(options)
            .args(["sh", "-c", mounted, "sh"])
            .arg(file.path())
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "plain_http::calls_where_names_are_other_addresses", "--ignored", "--nocapture"])
            .env("PINWRIGHT_TEST_HOST", host)
            .stdin(Stdio::null())
            .output();
        let Ok(output) = output else { continue };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        if text.contains("NO MOUNT") || text.contains("unshare failed") {
            continue;
        }
        let told = text.lines().find_map(|line| line.strip_prefix(TOLD)).map(str::to_owned);
        return Some(told.unwrap_or_else(|| panic!("{text}")));
    }
    None
}

#[test]
fn a_name_is_this_machine_by_the_address_that_is_connected_to() {
    // Every address of this machine answers to 0.0.0.0, which is none of the loopback's: who connects is answered.
    for (hosts, host) in [
        ("0.0.0.0 localhost\n", "localhost"),
        ("0.0.0.0 cm.contoso.com\n", "cm.contoso.com"),
        ("192.0.2.1 localhost\n", "localhost"),
        ("192.0.2.1 cm.contoso.com\n2001:db8::1 cm.contoso.com\n", "cm.contoso.com"),
    ] {
        let Some(told) = told(hosts, host) else {
            support::waiting::say_skipped("no names can be given to a process here");
            return;
        };
        let address = hosts.split_whitespace().next().unwrap();
        assert!(told.starts_with("0 0 "), "nobody was connected to: {told}");
        assert!(told.contains(&format!("{host} is {address}")) && told.contains("use https"), "{told}");
        assert!(!told.contains("CANARY") && !told.contains("firewall"), "{told}");
    }
    for (hosts, host) in [
        ("127.0.0.1 localhost\n", "localhost"),
        ("127.0.0.1 cm.contoso.com\n", "cm.contoso.com"),
        ("192.0.2.1 localhost\n127.0.0.1 localhost\n", "localhost"),
    ] {
        let told = told(hosts, host).unwrap();
        assert_eq!(told, "1 1 answered", "{hosts}");
    }
}
