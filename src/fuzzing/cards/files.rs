//! Tables, certificates and public keys as they are kept on cards.

use crate::card::PublicKey;
use crate::card::gids::cardcf::{self, Change};
use crate::card::gids::cmapfile::ContainerMap;
use crate::card::gids::compressed;
use crate::card::gids::keymap::KeyMap;
use crate::card::gids::master_file::{self, Location};

use crate::card::piv::certificate_object::{self, Content};

/// Files of a GIDS card: what is read is written again alike, and a record that is written changes no other one.
pub(super) fn gids(input: &[u8]) {
    if let Some(map) = ContainerMap::parse(input) {
        assert_eq!(map.bytes(), input);
        let mut written = map.clone();
        if let Some(container) = map.container(0) {
            // A name that Windows could not have written is not written.
            if written.set(0, &container) {
                assert_eq!(written.container(0), Some(container));
            }
        }
        written.clear(1);
        assert_eq!(written.count(), map.count());
        assert!((2..8).all(|index| written.container(index) == map.container(index)), "another container has changed");
    }
    if let Some(map) = KeyMap::parse(input) {
        assert_eq!(map.bytes(), input);
        let mut written = map.clone();
        written.clear(0);
        assert!(written.usage(0).is_none() && written.count() == map.count());
        assert!((1..8).all(|index| written.usage(index) == map.usage(index)), "another key has changed");
    }
    if let Some(counted) = cardcf::counted(input, Change::Files) {
        assert!(counted[..4] == input[..4] && counted[4..] != input[4..]);
    }
    if let Some(certificate) = compressed::expand(input) {
        assert!(certificate.len() <= usize::from(u16::MAX));
        let again = compressed::compress(&certificate).and_then(|file| compressed::expand(&file));
        assert_eq!(again, Some(certificate));
    }
    let place = Location { file: 0xA010, object: 0xDF31 };
    let entered = master_file::with(input, "kxc05", place);
    assert_eq!(master_file::locate_in_mscp(&entered, "kxc05"), Some(place));
    let removed = master_file::without(&entered, "kxc05");
    assert_eq!(master_file::locate_in_mscp(&removed, "kxc05"), None);
    assert!(removed.len() <= input.len().max(1) && entered.len() <= input.len().max(1) + 28);
    if let Some(object) = master_file::free_object(input, place.file) {
        let names = master_file::certificates(input);
        let used = names.iter().filter_map(|name| master_file::locate_in_mscp(input, name.strip_prefix("mscp/")?));
        assert!(used.filter(|used| used.file == place.file).all(|used| used.object != object), "it is in use");
    }
    public_key(input);
}

/// Certificate objects of a PIV card.
pub(super) fn piv(input: &[u8]) {
    if let Ok(Content::Certificate(certificate)) = certificate_object::content(input) {
        assert!(!certificate.is_empty() || input.len() > 20, "an empty certificate is none, unless it is compressed");
        let object = certificate_object::object(&certificate);
        if !certificate.is_empty() {
            assert_eq!(certificate_object::content(&object), Ok(Content::Certificate(certificate)));
        }
    }
    public_key(input);
}

/// The template of a public key, and its content alone.
fn public_key(input: &[u8]) {
    for key in [PublicKey::from_template(input, None), PublicKey::from_objects(input, None)].into_iter().flatten() {
        let (length, key_type) = match &key {
            PublicKey::Rsa { modulus, exponent } => {
                assert!(!exponent.is_empty() && modulus[0] >= 0x80);
                (modulus.len(), key.key_type())
            }
            PublicKey::P256(point) | PublicKey::P384(point) => (point.len() / 2, key.key_type()),
        };
        assert_eq!(length, key_type.length());
    }
}
