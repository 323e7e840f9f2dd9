//! yubico-piv-tool as a judge. It selects by the first five bytes of the AID: the card needs `--lenient`.

use pinwright::card::Hash;
use support::pcscd::Pcscd;
use support::vcard::Vcard;

use super::judge::{Verdict, command, run};
use super::{GUID, PIN, PUK};

/// yubico-piv-tool, for one card.
pub struct Yubico<'a> {
    pcscd: &'a Pcscd,
    card: &'a Vcard,
}

/// What `status` says.
#[derive(Debug, PartialEq, Eq)]
pub struct Status {
    /// The GUID within the CHUID, in plain hex.
    pub guid: String,
    /// Tries left for the PIN.
    pub tries_left: u8,
}

impl<'a> Yubico<'a> {
    pub fn new(pcscd: &'a Pcscd, card: &'a Vcard) -> Self {
        Self { pcscd, card }
    }

    fn run(&self, action: &str, arguments: &[&str]) -> Verdict {
        let reader = &self.pcscd.readers()[self.card.reader()].name;
        let mut command = command(self.pcscd, "yubico-piv-tool");
        run(command.args(["--reader", reader, "--action", action]).args(arguments))
    }

    /// Card ID and tries left.
    pub fn status(&self) -> Status {
        let text = self.run("status", &[]).accepted();
        let after = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} {text}")).trim().to_owned()
        };
        let chuid = after("CHUID:");
        // Tag 34, 16 bytes; the FASC-N before it has 25.
        let at = 2 * (2 + 25);
        assert_eq!(&chuid[at..at + 4], "3410", "{text}");
        Status { guid: chuid[at + 4..at + 36].to_owned(), tries_left: after("PIN tries left:").parse().unwrap() }
    }

    /// Has the card verify the PIN.
    pub fn verify_pin(&self, pin: &str) -> Verdict {
        self.run("verify-pin", &["--pin", pin])
    }

    /// CHANGE REFERENCE DATA of the PIN.
    pub fn change_pin(&self, old: &str, new: &str) -> Verdict {
        self.run("change-pin", &["--pin", old, "--new-pin", new])
    }

    /// CHANGE REFERENCE DATA of the PUK.
    pub fn change_puk(&self, old: &str, new: &str) -> Verdict {
        self.run("change-puk", &["--pin", old, "--new-pin", new])
    }

    /// RESET RETRY COUNTER with the PUK.
    pub fn unblock_pin(&self, puk: &str, new: &str) -> Verdict {
        self.run("unblock-pin", &["--pin", puk, "--new-pin", new])
    }

    /// The certificate of a slot, in PEM.
    pub fn read_certificate(&self, slot: &str) -> Verdict {
        self.run("read-certificate", &["--slot", slot])
    }

    /// Has the card sign, and verifies that with a certificate.
    pub fn test_signature(&self, slot: &str, pin: &str, certificate: &str, hash: Hash) -> Verdict {
        let hash = hash.name().replace('-', "");
        let sign = ["--action", "test-signature", "--slot", slot, "--input", certificate, "--hash", &hash];
        let verify = [&["--pin", pin][..], &sign].concat();
        self.run("verify-pin", &verify)
    }

    /// PUT DATA of a CHUID with a GUID of its own making; it authenticates with the default management key.
    pub fn set_chuid(&self) -> Verdict {
        self.run("set-chuid", &[])
    }

    /// The same with this management key.
    pub fn set_chuid_with(&self, key: &str) -> Verdict {
        self.run("set-chuid", &[&format!("--key={key}")])
    }
}

#[test]
fn yubico_reads_and_changes_a_piv_card_by_itself() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::piv(&pcscd, 1, &["--guid", GUID, "--lenient"]);
    let yubico = Yubico::new(&pcscd, &card);
    assert_eq!(yubico.status(), Status { guid: GUID.to_owned(), tries_left: 3 });
    yubico.verify_pin(PIN).accepted();
    yubico.change_pin(PIN, "2468135").accepted();
    yubico.verify_pin("2468135").accepted();
    yubico.change_puk(PUK, "87654321").accepted();
    yubico.unblock_pin("87654321", "975310").accepted();
    yubico.verify_pin("975310").accepted();
    assert_eq!(yubico.status().tries_left, 3);
}

#[test]
fn yubico_tells_a_wrong_pin_from_a_right_one() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::piv(&pcscd, 0, &["--lenient"]);
    card.declare_wrong_tries(1);
    let yubico = Yubico::new(&pcscd, &card);
    assert!(yubico.verify_pin("999999").refused().contains("2 tries left"));
    assert_eq!(yubico.status().tries_left, 2);
}
