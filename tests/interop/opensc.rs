//! OpenSC as a judge: it knows both cards, and sends plain APDUs that a test needs.

use support::pcscd::Pcscd;
use support::vcard::{Exchange, Vcard};

use super::apdu;
use super::judge::{Verdict, command, run};
use super::{ADMIN_PIN, GUID, PIN, PUK, SERIAL, VENDOR};

/// OpenSC, for one card.
pub struct OpenSc<'a> {
    pcscd: &'a Pcscd,
    card: &'a Vcard,
    /// Its number for the PIN that is judged.
    pin_id: &'static str,
}

impl<'a> OpenSc<'a> {
    /// For a PIV card, whose first PIN is the application PIN.
    pub fn piv(pcscd: &'a Pcscd, card: &'a Vcard) -> Self {
        Self { pcscd, card, pin_id: "01" }
    }

    /// For an OpenPGP card, whose second PIN is PW1 for everything but signatures.
    pub fn openpgp(pcscd: &'a Pcscd, card: &'a Vcard) -> Self {
        Self { pcscd, card, pin_id: "02" }
    }

    /// Runs one of its tools on the card.
    pub fn run(&self, tool: &str, arguments: &[&str]) -> Verdict {
        let mut command = command(self.pcscd, tool);
        run(command.args(["--reader", &self.card.reader().to_string()]).args(arguments))
    }

    fn pkcs15(&self, arguments: &[&str]) -> Verdict {
        self.run("pkcs15-tool", &[&["--auth-id", self.pin_id], arguments].concat())
    }

    /// Has the card verify the PIN.
    pub fn verify_pin(&self, pin: &str) -> Verdict {
        self.pkcs15(&["--verify-pin", "--pin", pin])
    }

    /// CHANGE REFERENCE DATA.
    pub fn change_pin(&self, old: &str, new: &str) -> Verdict {
        self.pkcs15(&["--change-pin", "--pin", old, "--new-pin", new])
    }

    /// RESET RETRY COUNTER with the PUK or the resetting code.
    pub fn unblock_pin(&self, puk: &str, new: &str) -> Verdict {
        self.pkcs15(&["--unblock-pin", "--puk", puk, "--new-pin", new])
    }

    /// The serial number that it shows for the card.
    pub fn serial(&self) -> String {
        let text = self.run("pkcs15-tool", &["--list-info"]).accepted();
        let serial = text.lines().find_map(|line| line.trim().strip_prefix("Serial number"));
        serial.unwrap_or_else(|| panic!("no serial number: {text}")).trim_start_matches([' ', ':']).to_owned()
    }

    /// Tries left for the PIN, where it shows them. Newer versions leave the card verified, and a verified PIN has no counter.
    pub fn tries_left(&self) -> u8 {
        self.run("opensc-tool", &["--reset"]).accepted();
        let text = self.run("pkcs15-tool", &["--list-pins"]).accepted();
        let pins = text.split("\n\n").find(|pin| pin.contains(&format!("\tID             : {}", self.pin_id)));
        let tries = pins.and_then(|pin| pin.lines().find_map(|line| line.trim().strip_prefix("Tries left     : ")));
        tries.and_then(|tries| tries.parse().ok()).unwrap_or_else(|| panic!("no tries left: {text}"))
    }

    /// Sends plain APDUs after SELECT, in one go, and resets the card: nothing stays verified for whoever comes next. OpenSC
    /// adds no command of its own.
    pub fn send(&self, apdus: &[String]) -> Vec<Exchange> {
        let name = if self.pin_id == "01" { apdu::PIV_SELECT } else { apdu::OPENPGP_SELECT };
        let mut arguments = vec!["--card-driver", "default", "--send-apdu", name];
        for apdu in apdus {
            arguments.extend(["--send-apdu", apdu]);
        }
        let (verdict, exchanges) = self.card.watch(|| self.run("opensc-tool", &arguments));
        let text = verdict.accepted();
        assert_eq!(exchanges.len(), apdus.len() + 1, "{text}");
        self.run("opensc-tool", &["--reset"]).accepted();
        assert!(self.card.was_reset());
        exchanges[1..].to_vec()
    }
}

#[test]
fn opensc_reads_and_changes_a_piv_card_by_itself() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::piv(&pcscd, 0, &["--guid", GUID]);
    let opensc = OpenSc::piv(&pcscd, &card);
    assert_eq!(opensc.serial(), GUID);
    assert!(opensc.run("piv-tool", &["--name"]).accepted().contains("Personal Identity Verification Card"));
    opensc.verify_pin(PIN).accepted();
    opensc.change_pin(PIN, "24681357").accepted();
    opensc.verify_pin("24681357").accepted();
    opensc.unblock_pin(PUK, "975310").accepted();
    opensc.verify_pin("975310").accepted();
}

#[test]
fn opensc_reads_and_changes_an_openpgp_card_by_itself() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::openpgp(&pcscd, 0, &["--vendor", VENDOR, "--serial", SERIAL]);
    let opensc = OpenSc::openpgp(&pcscd, &card);
    assert!(opensc.serial().to_lowercase().ends_with(&format!("{VENDOR}{SERIAL}").to_lowercase()));
    let info = opensc.run("openpgp-tool", &["--card-info"]).accepted();
    assert!(info.contains(SERIAL), "{info}");
    assert_eq!(opensc.tries_left(), 3);
    opensc.change_pin(PIN, "2468135").accepted();
    opensc.verify_pin("2468135").accepted();
    opensc.run("openpgp-tool", &["--verify", "CHV3", "--pin", ADMIN_PIN]).accepted();

    let code = "resetting";
    let set = [apdu::openpgp_verify_admin(ADMIN_PIN), apdu::openpgp_put_resetting_code(code)];
    assert!(opensc.send(&set).iter().all(|exchange| exchange.status() == 0x9000));
    opensc.unblock_pin(code, "97531024").accepted();
    opensc.verify_pin("97531024").accepted();
    assert_eq!(opensc.tries_left(), 3);
}

#[test]
fn opensc_tells_a_wrong_pin_from_a_right_one() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let piv = Vcard::piv(&pcscd, 0, &[]);
    let openpgp = Vcard::openpgp(&pcscd, 1, &[]);
    for card in [OpenSc::piv(&pcscd, &piv), OpenSc::openpgp(&pcscd, &openpgp)] {
        card.card.declare_wrong_tries(2);
        card.verify_pin("999999").refused();
        card.change_pin("999999", "24681357").refused();
        card.verify_pin(PIN).accepted();
    }
    assert_eq!(OpenSc::openpgp(&pcscd, &openpgp).tries_left(), 3);
}
