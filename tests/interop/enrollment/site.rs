//! The command's part: one `enroll`, and what the judges are given of it.

use std::fs;
use std::path::PathBuf;

use pinwright::sim::gids::GidsSettings;
use pinwright::sim::server::{KeyOptions, RequestStatus, Settings, Template};
use serde_json::Value;
use support::installation::Installation;
use support::openssl::openssl;
use support::pcscd::Pcscd;

use super::cards::Inserted;
use crate::judge::{command, run};

/// A key pair that the template wants.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    name: &'static str,
    bits: u32,
    /// The PKCS#11 mechanism that signs a file with it.
    pub mechanism: &'static str,
}

impl Keys {
    pub const RSA_2048: Self = Self { name: "RSA", bits: 2048, mechanism: "SHA256-RSA-PKCS" };
    pub const P256: Self = Self { name: "ECDSA_P256", bits: 256, mechanism: "ECDSA-SHA256" };

    pub fn is_rsa(self) -> bool {
        self.name == "RSA"
    }
}

/// A card that was enrolled.
pub struct Enrolled {
    pub installation: Installation,
    pub keys: Keys,
    /// What the command has told.
    pub told: Value,
    /// What it has said on standard error.
    pub log: String,
    /// The PIN that the server gave out.
    pub pin: String,
    /// OpenSC's name for key and certificate.
    pub id: &'static str,
}

impl Enrolled {
    /// A file beside the configuration.
    pub fn path(&self, name: &str) -> String {
        self.installation.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a file there, and gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path: PathBuf = self.installation.path(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// Enrolls a card that the server has never heard of, and reads the certificate with OpenSC (`issued.pem`, its key `issued.pub`).
pub fn enroll(pcscd: &Pcscd, card: &Inserted, keys: Keys) -> Enrolled {
    enroll_with(pcscd, card, keys, &[])
}

/// The same with more options.
pub fn enroll_with(pcscd: &Pcscd, card: &Inserted, keys: Keys, options: &[&str]) -> Enrolled {
    let mut template = Template::sample(GidsSettings::default().admin_key);
    template.diversify_admin_key = true;
    template.keys = vec![KeyOptions { algorithm: keys.name.to_owned(), bits: keys.bits, hash: "SHA256".to_owned() }];
    let name = template.name.clone();
    let installation = Installation::new(Settings { templates: vec![template], ..Settings::empty() });
    let enroll = [options, &["--json", "enroll", "--template", &name, "--yes"]].concat();
    let run_of = match card.puk {
        None => installation.pinwright(pcscd, &enroll),
        Some(puk) => {
            installation.configure("", "[card]\nauthority = [\"puk\"]");
            let arguments = [&enroll[..], &["--puk-fd", "9"]].concat();
            installation.start_with_secret(&pcscd.socket(), &arguments, puk.as_bytes()).finish()
        }
    };
    let told = run_of.exits(0).json();
    assert_eq!(told["card_id"], card.card_id.to_string());
    assert_eq!((&told["outcome"], &told["admin_key"]), (&Value::from("done"), &Value::from("new")));
    assert!(installation.server.violations().is_empty(), "{:?}", installation.server.violations());
    let status = installation.server.state().change(|settings| settings.requests[0].status);
    assert_eq!(status, RequestStatus::Completed);
    let pin = String::from_utf8(installation.server.state().last_pin().unwrap()).unwrap();
    let id = if card.is_piv { "01" } else { "00" };
    let log = run_of.stderr.clone();
    let enrolled = Enrolled { installation, keys, told, log, pin, id };

    enrolled.file("authorities.pem", enrolled.installation.server.state().authorities_pem().unwrap());
    let certificate = run(command(pcscd, "pkcs15-tool").args(["--reader", "0", "--read-certificate", id])).accepted();
    let begin = certificate.find("-----BEGIN").unwrap_or_else(|| panic!("no certificate: {certificate}"));
    let issued = enrolled.file("issued.pem", &certificate[begin..]);
    openssl(&["x509", "-in", &issued, "-noout", "-pubkey", "-out", &enrolled.path("issued.pub")]);
    enrolled
}
