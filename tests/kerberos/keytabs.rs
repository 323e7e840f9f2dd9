//! The agent's keytab: no `kinit`, nobody else's tickets, and errors that name the file.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use support::kerberos::Site;

use crate::bed::Bed;

#[test]
fn a_keytab_signs_in_without_kinit_and_over_nobody_elses_tickets() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    let alice = bed.realm.person("alice", "1h");
    bed.realm.add("AGENT1$");
    bed.realm.add("AGENT2$");
    let keytab = bed.realm.keytab("AGENT1$", "agent.keytab");
    bed.realm.keytab("AGENT2$", "agent.keytab");
    bed.caller().keytab(&keytab).calls("requests").succeed();
    bed.caller().keytab(&keytab).agent_key("principal = \"AGENT2$@LAB.TEST\"").calls("requests").succeed();
    assert_eq!(bed.users(), ["AGENT1$@LAB.TEST", "AGENT2$@LAB.TEST"]);
    // A process that was not started for it, and has somebody's tickets: it would be that somebody.
    let failed = bed.caller().keytab(&keytab).tickets(&alice).fails();
    failed.says("this process was not started for it", "let the agent use it", 2);
    assert_eq!(bed.users().len(), 2);
}

#[test]
fn each_fault_of_a_keytab_is_told_by_its_own_words() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    bed.realm.add("AGENT1$");
    let keytab = bed.realm.keytab("AGENT1$", "agent.keytab");
    let missing = bed.realm.path("missing.keytab");
    bed.caller().keytab(&missing).fails().says("missing.keytab can't be read: ", "chmod 0600", 2);
    let other = bed.caller().keytab(&keytab).agent_key("principal = \"AGENT9$@LAB.TEST\"").fails();
    other.says("agent.keytab", "agent.principal", 5);
    assert!(other.text.contains("AGENT9$@LAB.TEST"), "{other:?}");
    std::fs::set_permissions(&keytab, PermissionsExt::from_mode(0o644)).unwrap();
    bed.caller().keytab(&keytab).fails().says("everybody can read", "chmod o-r", 2);
    std::fs::set_permissions(&keytab, PermissionsExt::from_mode(0o600)).unwrap();
    // The account gets a new key, and this one is the old one.
    bed.realm.keytab("AGENT1$", "newer.keytab");
    let stale = bed.caller().keytab(&keytab).fails();
    stale.says("is not the account's any more: ", "kvno", 5);
    assert!(stale.text.contains("agent.keytab"), "{stale:?}");
    // An account that is gone.
    bed.realm.administer("delprinc -force AGENT1$");
    bed.caller().keytab(&keytab).fails().says("the KDC does not know", "agent.principal", 5);
    std::fs::write(&keytab, "no keytab").unwrap();
    bed.caller().keytab(&keytab).fails().says("is no keytab", "ktpass", 2);
    assert!(bed.users().is_empty());
}

#[test]
fn tickets_that_end_are_got_anew_in_the_middle_of_a_job() {
    let Some(bed) = Bed::start(&Site::default()) else { return };
    bed.realm.administer("addprinc -randkey -maxlife \"6 seconds\" AGENT1$");
    let keytab = bed.realm.keytab("AGENT1$", "agent.keytab");
    // The calls together take longer than a ticket lives.
    bed.server.state().change(|settings| settings.latency = Duration::from_millis(1100));
    bed.caller().keytab(&keytab).calls("requests requests requests requests requests requests requests").succeed();
    assert_eq!(bed.users(), ["AGENT1$@LAB.TEST"; 7]);
}

/// `agent --check` looks at the keytab, and asks nobody for a ticket.
#[test]
fn a_check_of_the_agent_names_its_keytab() {
    let Some(mut bed) = Bed::start(&Site::default()) else { return };
    bed.realm.add("AGENT1$");
    let keytab = bed.realm.keytab("AGENT1$", "agent.keytab");
    bed.realm.stop_kdc();
    let config = bed.realm.path("config.toml");
    let told = |keytab: &std::path::Path| {
        let text = format!(
            "[server]\nauth = \"negotiate\"\nurl = \"https://localhost:1/cm\"\nca_file = \"{}\"\n[agent]\nkeytab_file = \"{}\"\n",
            bed.apache.ca_file().display(),
            keytab.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pinwright"));
        bed.realm.furnish(&mut command);
        command.env("PCSCLITE_CSOCK_NAME", bed.realm.path("no-pcscd")).env("XDG_STATE_HOME", bed.realm.path("state"));
        let output = command.arg("--config").arg(&config).args(["agent", "--check"]).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        out.lines().find(|line| line.contains("server.auth")).unwrap_or_else(|| panic!("{out}")).to_owned()
    };
    let line = told(&keytab);
    assert!(line.starts_with("ok ") && line.contains("agent.keytab (no KDC was asked)"), "{line}");
    let line = told(&bed.realm.path("missing.keytab"));
    assert!(
        line.starts_with("FAIL ") && line.contains("missing.keytab can't be read") && line.contains("0600"),
        "{line}"
    );
}
