//! What `doctor` says of tickets, KDC and clocks, to a person and of the agent.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::kerberos::{Ccache, Site};

use crate::bed::Bed;

/// The lines of `doctor`, or of `agent --check`, with these tickets or this keytab, and with a clock that is so many minutes ahead.
struct Lines(Vec<Value>);

impl Lines {
    /// State, reason and remedy of the only line of a probe.
    /// `#60` in the reason is 60, or up to 2 less: a moment has passed since.
    #[track_caller]
    fn says(&self, probe: &str, state: &str, reason: &str, remedy: &str) {
        let (before, after) = reason.split_once('#').unwrap_or((reason, ""));
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let reasons: Vec<String> = match after[..digits].parse::<u32>() {
            Ok(most) => (most - 2..=most).map(|number| format!("{before}{number}{}", &after[digits..])).collect(),
            Err(_) => vec![reason.to_owned()],
        };
        let named: Vec<_> =
            self.0.iter().filter(|line| [&line["probe"], &line["check"]].contains(&&probe.into())).collect();
        let [line] = named[..] else { panic!("{probe}: {:#?}", self.0) };
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let is_so = text("state") == state
            && reasons.iter().any(|reason| text("reason").contains(reason.as_str()))
            && text("remedy").contains(remedy);
        assert!(is_so, "{probe}: {line:#}");
    }
}

fn ask(bed: &Bed, tickets: &Ccache, keytab: Option<&Path>, ahead: u32) -> Lines {
    let config = bed.realm.path("doctor.toml");
    let agent = keytab.map_or(String::new(), |path| format!("[agent]\nkeytab_file = \"{}\"\n", path.display()));
    let text = format!(
        "[server]\nauth = \"negotiate\"\nurl = \"{}\"\nca_file = \"{}\"\n{agent}",
        bed.apache.url(&bed.server.base_url()),
        bed.apache.ca_file().display()
    );
    std::fs::write(&config, text).unwrap();
    let pinwright = env!("CARGO_BIN_EXE_pinwright");
    let mut command = match ahead {
        0 => Command::new(pinwright),
        minutes => {
            let mut command = Command::new("faketime");
            command.args(["-f", &format!("+{minutes}m"), pinwright]).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            command
        }
    };
    bed.realm.furnish(&mut command);
    command.env("KRB5CCNAME", &tickets.0).env("PCSCLITE_CSOCK_NAME", bed.realm.path("no-pcscd"));
    command.env("XDG_STATE_HOME", bed.realm.path("state")).env("HOME", bed.realm.folder());
    command.arg("--config").arg(&config).arg("--json");
    let output = match keytab {
        Some(_) => command.args(["agent", "--check"]).output(),
        None => command.arg("doctor").output(),
    };
    let output = output.unwrap();
    let object: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let lines = object["probes"].as_array().or(object["checks"].as_array());
    Lines(lines.unwrap_or_else(|| panic!("{object:#}")).clone())
}

#[test]
fn tickets_are_told_with_their_life_and_what_a_kdc_has_given() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    let lines = ask(&bed, &alice, None, 0);
    lines.says("tickets", "ok", "alice@LAB.TEST: valid for #60 min (", "");
    lines.says("KDC", "ok", "a ticket for HTTP/localhost is here, valid for #60 min, and was accepted", "");
    lines.says("KDC", "ok", "by how much the KDC's clock differs can't be known", "");
    lines.says("sign-in", "ok", "\"negotiate\" is accepted", "");
    let bob = bed.realm.person("bob", "5m");
    ask(&bed, &bob, None, 0).says("tickets", "warning", "bob@LAB.TEST: valid for #5 min (", "run `kinit`");
    // By this machine's clock they have ended.
    let lines = ask(&bed, &alice, None, 120);
    lines.says("tickets", "failed", "the Kerberos ticket has expired", "kinit");
    lines.says("clock", "failed", "2 h ahead of the server's", "time service");
    lines.says("KDC", "unknown", "no ticket for HTTP/localhost was accepted", "");
    let lines = ask(&bed, &Ccache("FILE:/nonexistent/tickets".to_owned()), None, 0);
    lines.says("tickets", "failed", "nobody has signed in to Kerberos here", "kinit");
}

#[test]
fn a_clock_that_differs_is_told_as_that_of_machine_kdc_or_server() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    let lines = ask(&bed, &alice, None, 20);
    lines.says("clock", "failed", "20 min ahead of the server's", "time service");
    lines.says("KDC", "failed", "differ by more than Kerberos allows", "both clocks by the same time service");
    lines.says("KDC", "failed", "the server's clock and this machine's differ by 20 min", "");
    lines.says("tickets", "ok", "alice@LAB.TEST: valid for #40 min", "");
}

#[test]
fn a_keytab_gives_tickets_and_a_kdc_that_is_away_is_waited_for() {
    let Some(mut bed) = Bed::start(&Site::default()) else { return };
    bed.realm.add("AGENT1$");
    let keytab = bed.realm.keytab("AGENT1$", "agent.keytab");
    let nobody = Ccache("FILE:/nonexistent/tickets".to_owned());
    let lines = ask(&bed, &nobody, Some(&keytab), 0);
    lines.says("tickets", "ok", "AGENT1$@LAB.TEST: the keytab gives tickets; the one of now is valid for", "");
    lines.says("KDC", "ok", "a ticket for HTTP/localhost is here", "");
    bed.realm.stop_kdc();
    let lines = ask(&bed, &nobody, Some(&keytab), 0);
    lines.says("tickets", "unknown", "`sign-in` says more", "");
    lines.says("sign-in", "failed", "no KDC can be reached", "port 88");
    lines.says("KDC", "unknown", "no ticket for HTTP/localhost was accepted", "");
}
