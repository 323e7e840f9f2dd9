//! What can't be done with a secret, as the compiler sees it: print, copy, write out, compare byte by byte, leave it in memory.
//!
//! Asked of the types themselves, and so of all code at once; then of the compiler, with code that tries it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[cfg(target_os = "linux")]
#[path = "secret_types/refusals.rs"]
mod refusals;

use std::borrow::Borrow;
use std::fmt::{Display, LowerHex, UpperHex};
use std::hash::Hash;
use std::ops::Deref;

use pinwright::apdu::{Command, Response};
use pinwright::job::issuer::Answers;
use pinwright::reader::Frame;
use pinwright::secret::{AdminKey, AdminResponse, Code, Pin, SecretBytes};
use pinwright::server::{Call, PfxPassword, ProposedPin};
use serde::{Deserialize, Serialize};
use support::has;
use zeroize::ZeroizeOnDrop;

/// Asked when this is compiled: whatever holds a secret's bytes is zeroed when it is dropped.
const _: () = {
    const fn is_zeroed_when_dropped<T: ZeroizeOnDrop>() {}
    is_zeroed_when_dropped::<SecretBytes>();
    is_zeroed_when_dropped::<Pin>();
    is_zeroed_when_dropped::<AdminKey>();
    is_zeroed_when_dropped::<AdminResponse>();
    is_zeroed_when_dropped::<Code>();
    is_zeroed_when_dropped::<Frame>();
    is_zeroed_when_dropped::<Command>();
    is_zeroed_when_dropped::<Response>();
};

/// The traits of the list that a type has, by name.
macro_rules! those_of {
    ($type:ty: $($bound:path),+ $(,)?) => {{
        let mut had: Vec<String> = Vec::new();
        $(if has!($type, $bound) { had.push(stringify!($bound).replace(' ', "")); })+
        had
    }};
}

/// The ways out of a secret type, beside its `expose`.
macro_rules! ways_out {
    ($type:ty) => {
        those_of!(
            $type: Display, LowerHex, UpperHex, ToString, Clone, Copy, PartialEq, PartialEq<[u8]>, PartialEq<&'static [u8]>,
            PartialEq<Vec<u8>>, PartialEq<str>, PartialEq<&'static str>, PartialEq<String>, PartialOrd, Hash, Serialize,
            Deserialize<'static>, AsRef<[u8]>, AsRef<str>, Borrow<[u8]>, Borrow<str>, Deref, Into<Vec<u8>>, Into<String>,
            IntoIterator,
        )
    };
}

#[test]
fn the_question_is_answered_truly() {
    let of_text = ways_out!(String);
    for expected in [
        "Display",
        "ToString",
        "Clone",
        "PartialEq",
        "PartialEq<str>",
        "Hash",
        "Serialize",
        "AsRef<[u8]>",
        "Borrow<str>",
        "Deref",
    ] {
        assert!(of_text.contains(&expected.to_owned()), "{expected}: {of_text:?}");
    }
    let of_bytes = ways_out!(Vec<u8>).join(" ");
    assert!(!of_bytes.contains("Display") && of_bytes.contains("IntoIterator"), "{of_bytes}");
}

#[test]
fn a_secret_has_one_way_out() {
    let none: [String; 0] = [];
    assert_eq!(ways_out!(SecretBytes), none);
    assert_eq!(ways_out!(Pin), none);
    assert_eq!(ways_out!(AdminKey), none);
    assert_eq!(ways_out!(AdminResponse), none);
    assert_eq!(ways_out!(Code), none);
    assert_eq!(ways_out!(ProposedPin), none);
    assert_eq!(ways_out!(Answers), none);
    assert_eq!(ways_out!(PfxPassword), none);
    // Its body may hold one.
    assert_eq!(ways_out!(Call), none);
    assert!(!has!(PfxPassword, std::fmt::Debug) && !has!(Call, std::fmt::Debug));
    assert_eq!(ways_out!(Command), none);
    assert_eq!(ways_out!(Response), none);
    // Its text masks what is secret.
    assert_eq!(ways_out!(Frame), ["Display", "ToString"]);
}

/// Nor is there a comparison from the other side, which would be another type's.
macro_rules! compared_from_outside {
    ($secret:ty) => {
        has!(Vec<u8>, PartialEq<$secret>)
            || has!(String, PartialEq<$secret>)
            || has!(&'static [u8], PartialEq<$secret>)
            || has!(&'static str, PartialEq<$secret>)
            || has!([u8; 8], PartialEq<$secret>)
    };
}

#[test]
fn nothing_compares_itself_with_a_secret() {
    assert!(compared_from_outside!(str) && compared_from_outside!(Vec<u8>));
    assert!(!compared_from_outside!(SecretBytes));
    assert!(!compared_from_outside!(Pin));
    assert!(!compared_from_outside!(AdminKey));
    assert!(!compared_from_outside!(AdminResponse));
    assert!(!compared_from_outside!(Code));
}

#[test]
fn debug_of_a_secret_shows_its_kind_only() {
    let pin = || Pin::new(b"zQ7vK2wX").unwrap();
    let command = Command::new(0x00, 0x20, 0x00, 0x80).secret(SecretBytes::copy_of(pin().expose()));
    let proposed = Answers { pin: Some(ProposedPin::Pin(pin())), answer: Some(AdminResponse::new(b"zQ7vK2wX")) };
    let key = AdminKey::new(&[0x5A; 24]).unwrap();
    let shown = format!("{:?} {command:?} {proposed:?} {key:#?}", pin());
    for form in ["zQ7v", "7A51", "7a51", "122, 81", "5a5a", "5A5A", "90, 90"] {
        assert!(!shown.contains(form), "{form}: {shown}");
    }
}
