//! What the families hand out, and that no part of `card` depends on itself by way of another.

use super::gids::{APPLET_LIMITS, Gids};
use super::iso7816::Iso7816;
use super::openpgp::OpenPgp;
use super::piv::Piv;
use super::*;

fn profile() -> profile::Profile {
    toml::from_str("name = \"test\"\natr = \"3B01\"\ncard_id = { file = \"0201\" }\npin = { reference = 1 }").unwrap()
}

fn cards() -> [Box<dyn Card>; 4] {
    [
        Box::new(Gids::new(IdOrder::Windows, APPLET_LIMITS)),
        Box::new(Piv::new()),
        Box::new(OpenPgp::new(IdOrder::Windows)),
        Box::new(Iso7816::new(profile())),
    ]
}

/// Through `dyn Card`, as jobs hold a card.
#[test]
fn a_card_hands_out_what_its_family_can_do() {
    for (mut card, family) in cards().into_iter().zip(Family::ALL) {
        assert_eq!(card.family(), family);
        let algorithms = card.admin_key_change().map(|change| change.key_algorithms());
        let code = card.code_change().map(|change| change.code());
        let files = card.certificate_files().is_some();
        let keys = card.keys().map(|keys| keys.key_types());
        assert_eq!(card.certificates().is_some(), keys.is_some(), "{family}");
        assert_eq!(family.why_no_keys().is_some(), keys.is_none(), "{family}");
        let expected = match family {
            Family::Gids => (Some(&[KeyAlgorithm::TripleDes][..]), None, true, Some(&[KeyType::Rsa2048][..])),
            Family::Piv => (Some(&KeyAlgorithm::ALL[..]), Some(Proof::Puk), false, Some(&KeyType::ALL[..])),
            Family::OpenPgp => (None, Some(Proof::AdminPin), false, None),
            Family::Iso7816 => (None, None, false, None),
        };
        assert_eq!((algorithms, code, files, keys), expected, "{family}");
    }
}
