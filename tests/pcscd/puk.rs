//! A PIV card whose metadata tell how many tries its PUK has left, which no independent card here has. OpenSC then spends the try
//! that was spared.

use pinwright::sim::card::SharedCard;
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::server::Settings;
use support::installation::{Installation, Run};
use support::opensc;
use support::pcscd::Pcscd;
use uuid::Uuid;

use super::pcscd_with;

const PIN: &str = "123456";
const PUK: &str = "12345678";
const NEW: &str = "24681357";
const RESET_RETRY_COUNTER: u8 = 0x2C;

fn card(puk_left: u8) -> SharedCard<PivCard> {
    SharedCard::new(PivCard::new(PivSettings { yubico: true, puk_left: Some(puk_left), ..PivSettings::default() }))
}

fn with_the_puk(pcscd: &Pcscd, command: &[&str]) -> (Run, Installation) {
    let settings = PivSettings::default();
    let known = Settings::for_card(Uuid::from_bytes(settings.guid.unwrap()), &hex::encode(&settings.atr), [0x5A; 24]);
    let installation = Installation::new(known);
    installation.configure("", "[card]\nauthority = [\"puk\"]");
    let arguments = [command, &["--puk-fd", "9"]].concat();
    let run = installation.start_with_secret(&pcscd.socket(), &arguments, PUK.as_bytes()).finish();
    (run, installation)
}

fn unblock(pcscd: &Pcscd) -> opensc::Verdict {
    let unblock = ["--auth-id", "01", "--unblock-pin", "--puk", PUK, "--new-pin", NEW];
    opensc::run(pcscd, "pkcs15-tool", 0, &unblock)
}

fn offered(card: &SharedCard<PivCard>) -> usize {
    card.with(|card| card.headers().iter().filter(|header| header[1] == RESET_RETRY_COUNTER).count())
}

#[test]
fn a_puk_at_its_last_try_is_spared_and_opensc_has_that_try() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = card(1);
    let _inserted = pcscd.insert(0, card.clone());
    let (run, _) = with_the_puk(&pcscd, &["--json", "set-pin", "--yes", "--again"]);
    run.exits(4).says("the PUK has 1 tries left");
    assert_eq!(run.json()["card_state"], "untouched", "{run}");
    assert_eq!(offered(&card), 0);
    assert!(card.with(|card| card.pin_is(PIN.as_bytes()) && card.puk_tries_left() == 1));

    let verdict = unblock(&pcscd);
    assert!(verdict.success, "{}", verdict.text);
    assert!(card.with(|card| card.pin_is(NEW.as_bytes()) && card.puk_tries_left() == 3));
    // And with a full counter it is pinwright's.
    let (run, installation) = with_the_puk(&pcscd, &["--json", "set-pin", "--yes", "--again"]);
    run.exits(0);
    let pin = installation.server.state().last_pin().unwrap();
    assert!(card.with(|card| card.pin_is(&pin)));
}

#[test]
fn a_blocked_puk_is_not_offered_and_opensc_finds_it_blocked() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = card(0);
    let _inserted = pcscd.insert(0, card.clone());
    for (command, exit, outcome) in
        [(&["--json", "plan"][..], 4, "not-possible"), (&["--json", "set-pin", "--yes", "--again"], 4, "failed")]
    {
        let (run, _) = with_the_puk(&pcscd, command);
        run.exits(exit).says("the PUK has 0 tries left");
        assert_eq!(run.json()["outcome"], outcome, "{run}");
        assert_eq!(offered(&card), 0);
    }
    assert!(!unblock(&pcscd).success);
    assert_eq!(offered(&card), 1, "that was OpenSC's");
    assert!(card.with(|card| card.pin_is(PIN.as_bytes())));
}
