//! A command beside an agent: each has its own journal, and the command asks the agent what it knows of the card.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use support::agent_process::Daemon;
use support::installation::{Installation, Run};
use support::numbered_cards::{assert_done, card, id, insert, installation_for};
use support::pcscd::Pcscd;

/// A person's command, which asks who listens there.
fn enroll(installation: &Installation, pcscd: &Pcscd, control: &Path, more: &[&str]) -> Run {
    let words = format!(
        "export PINWRIGHT_JOURNAL_DIR='{}' PINWRIGHT_AGENT_CONTROL='{}'",
        installation.path("person").display(),
        control.display()
    );
    let arguments: Vec<&str> = ["--json", "set-pin", "--yes"].iter().chain(more).copied().collect();
    installation.start_by(&pcscd.socket(), &words, &arguments).finish()
}

#[test]
fn a_command_does_not_do_again_what_the_agent_has_done() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let installation = installation_for(1);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    let virtual_card = card(0);
    let _inserted = insert(&pcscd, 0, &virtual_card, Duration::ZERO);
    agent.finishes(&id(0));
    let pins = installation.server.state().pins().len();
    let socket = installation.path("agent.sock");

    let run = enroll(&installation, &pcscd, &socket, &[]);
    let told = run.exits(0).json();
    assert_eq!((&told["outcome"], &told["journal_of"]), (&"already-done".into(), &"agent".into()), "{run}");
    assert_eq!(installation.server.state().pins().len(), pins, "nothing secret is fetched");
    assert_done(&virtual_card, &installation.server);
    // `plan` reckons with the same.
    let words = format!(
        "export PINWRIGHT_JOURNAL_DIR='{}' PINWRIGHT_AGENT_CONTROL='{}'",
        installation.path("person").display(),
        socket.display()
    );
    let plan = installation.start_by(&pcscd.socket(), &words, &["plan"]).finish();
    plan.exits(0).says("would do nothing").says("in the agent's journal");
    // The agent reads no person's journal, and a person who knows it may do it again.
    assert_eq!(enroll(&installation, &pcscd, &socket, &["--again"]).exits(0).json()["outcome"], "done");
    assert_eq!(installation.server.state().pins().len(), pins + 1);
}

/// Without an agent, and with somebody there who says nothing, garbage, or that nothing was done, a job is as it always was.
#[test]
fn whoever_else_listens_changes_nothing() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let installation = installation_for(1);
    let virtual_card = card(0);
    let _inserted = insert(&pcscd, 0, &virtual_card, Duration::ZERO);
    pcscd.wait_for_card(0, true);
    let never = format!("{{\"schema\":\"pinwright.agent-card/1\",\"card_id\":\"{}\",\"records\":[]}}\n", id(0));
    let cases = [
        ("absent", None),
        ("silent", Some(String::new())),
        ("garbage", Some("\u{1b}[2J\n".to_owned())),
        ("never", Some(never)),
    ];
    for (case, says) in cases {
        let socket = installation.path(&format!("{case}.sock"));
        if let Some(says) = says {
            let listener = UnixListener::bind(&socket).unwrap();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = BufReader::new(stream.unwrap());
                    drop(stream.read_line(&mut String::new()));
                    drop(stream.get_mut().write_all(says.as_bytes()));
                    // A silent one is left when the client goes.
                    drop(stream.read_line(&mut String::new()));
                }
            });
        }
        let run = enroll(&installation, &pcscd, &socket, &["--again"]);
        assert_eq!(run.exits(0).json()["outcome"], "done", "{case}: {run}");
        assert!(!run.stderr.contains('\u{1b}'), "{case}: {run}");
        // And what one's own journal says is not taken back.
        let again = enroll(&installation, &pcscd, &socket, &[]);
        let told = again.exits(0).json();
        assert_eq!((&told["outcome"], &told["journal_of"]), (&"already-done".into(), &"own".into()), "{case}: {again}");
    }
}
