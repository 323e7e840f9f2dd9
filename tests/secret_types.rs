//! What can't be done with a secret, as the compiler sees it: print, copy, write out, compare byte by byte.
//!
//! Asked of the types themselves, and so of all code at once; the wording of a compiler's errors plays no part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fmt::{Display, LowerHex, UpperHex};
use std::hash::Hash;
use std::ops::Deref;

use pinwright::apdu::{Command, Response};
use pinwright::provision::issuer::Answers;
use pinwright::reader::Frame;
use pinwright::secret::{AdminKey, AdminResponse, Pin, SecretBytes};
use pinwright::server::ProposedPin;
use serde::{Deserialize, Serialize};

/// Whether a type has a trait: an inherent constant, which exists only then, comes before that of a trait that all have.
macro_rules! has {
    ($type:ty, $bound:path) => {{
        #[allow(dead_code)]
        trait Otherwise {
            const HAS: bool = false;
        }
        impl<T> Otherwise for T {}
        #[allow(dead_code)]
        struct Asked<T>(std::marker::PhantomData<T>);
        #[allow(dead_code)]
        impl<T: $bound> Asked<T> {
            const HAS: bool = true;
        }
        <Asked<$type>>::HAS
    }};
}

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
            $type: Display, LowerHex, UpperHex, ToString, Clone, Copy, PartialEq, PartialOrd, Hash, Serialize,
            Deserialize<'static>, AsRef<[u8]>, AsRef<str>, Deref, Into<Vec<u8>>, Into<String>, IntoIterator,
        )
    };
}

#[test]
fn the_question_is_answered_truly() {
    let of_text = ways_out!(String);
    for expected in ["Display", "ToString", "Clone", "PartialEq", "Hash", "Serialize", "AsRef<[u8]>", "Deref"] {
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
    assert_eq!(ways_out!(ProposedPin), none);
    assert_eq!(ways_out!(Answers), none);
    assert_eq!(ways_out!(Command), none);
    assert_eq!(ways_out!(Response), none);
    // Its text masks what is secret.
    assert_eq!(ways_out!(Frame), ["Display", "ToString"]);
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
