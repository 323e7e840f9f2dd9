//! pinwright's own PIV card (`sim card --family piv --yubico`) opened by Yubico's tools, which select by the first five bytes of its
//! name and, the newer ones, ask for metadata.

use pinwright::sim::gids::GidsSettings;
use support::installation::{Installation, server_for};
use support::pcscd::Pcscd;

use super::pcscd_with;

/// Runs a tool on the first reader; its own claim, and all that it said.
fn run(pcscd: &Pcscd, tool: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = pcscd.command("timeout");
    command.args(["--kill-after=5", "60", tool, "--reader", &pcscd.readers()[0].name]).args(arguments);
    let output = command.output().unwrap();
    assert_ne!(output.status.code(), Some(127), "{tool} is not installed: `make test` installs it");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn is_installed(tool: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(tool).is_file())
}

#[test]
fn yubicos_tools_open_and_change_our_virtual_card() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let port = pcscd.readers()[0].port.to_string();
    let card = ["sim", "card", "--family", "piv", "--yubico", "--host", "127.0.0.1", "--port", &port];
    let _card = installation.start(&pcscd.socket(), &card);
    pcscd.wait_for_card(0, true);

    let (success, status) = run(&pcscd, "yubico-piv-tool", &["--action", "status"]);
    assert!(success, "{status}");
    for (name, value) in [("Version:", "5.4.3"), ("Serial Number:", "12345678"), ("PIN tries left:", "3")] {
        let line = status.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_default();
        assert_eq!(line.trim(), value, "{status}");
    }
    let guid = "33221100554477668899aabbccddeeff";
    assert!(status.contains(&format!("3410{guid}")), "the GUID of the default card ID: {status}");
    for (arguments, accepted) in [
        (&["--action", "verify-pin", "--pin", "123456"][..], true),
        (&["--action", "verify-pin", "--pin", "999999"], false),
        (&["--action", "change-pin", "--pin", "123456", "--new-pin", "2468135"], true),
        (&["--action", "verify-pin", "--pin", "123456"], false),
        (&["--action", "unblock-pin", "--pin", "12345678", "--new-pin", "975310"], true),
        (&["--action", "change-puk", "--pin", "12345678", "--new-pin", "87654321"], true),
        (&["--action", "verify-pin", "--pin", "975310"], true),
    ] {
        let (success, said) = run(&pcscd, "yubico-piv-tool", arguments);
        assert_eq!(success, accepted, "{arguments:?}: {said}");
    }
    // `make bench` installs it, the tests do without.
    if is_installed("ykman") {
        let (success, info) = run(&pcscd, "ykman", &["piv", "info"]);
        assert!(success && info.contains("5.4.3"), "{info}");
        let change = ["piv", "access", "change-pin", "--pin", "975310", "--new-pin", "864209"];
        let (success, said) = run(&pcscd, "ykman", &change);
        assert!(success, "{said}");
    }
}

#[test]
fn only_a_piv_card_has_yubicos_extensions() {
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let run = installation.start(&installation.path("no-such-socket"), &["sim", "card", "--yubico"]).finish();
    run.says("--family piv");
    assert_ne!(run.code(), 0, "{run}");
}
