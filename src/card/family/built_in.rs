//! The families that are built in: how each is selected and recognised, and how its card is made.

use super::atr;
use super::candidate::named;
use super::settings::Families;
use crate::apdu::{Command, Response};
use crate::card::Card;
use crate::card::gids::{self, Gids};
use crate::card::openpgp::{self, OpenPgp};
use crate::card::pin::{PinCharacters, PinLimits};
use crate::card::piv::{self, Piv};
use crate::card::proof::Family;
use crate::reader::Atr;

/// A family that is built in.
pub(super) struct BuiltIn {
    pub(super) family: Family,
    /// In words.
    pub(super) title: &'static str,
    /// Selects its application.
    pub(super) select: fn() -> Command,
    /// Whether this answer to [`BuiltIn::select`] comes from this application.
    pub(super) answers: fn(&Response) -> bool,
    /// What makes sure of an application whose answer to SELECT other applications give, too.
    pub(super) confirm: Option<Confirm>,
    /// Makes the card, whose application is selected now.
    pub(super) make: fn(&Selected<'_>) -> Box<dyn Card>,
}

/// A read that only this application answers.
pub(super) struct Confirm {
    /// Whether this answer to [`BuiltIn::select`] is one that other applications give, too.
    pub(super) needed: fn(&Response) -> bool,
    pub(super) read: fn() -> Command,
    /// The read's name.
    pub(super) name: &'static str,
    /// Whether a card is asked that a profile claims by its ATR.
    pub(super) of_claimed_cards: bool,
    /// Whether this answer to the read comes from this application.
    pub(super) answers: fn(&Response) -> bool,
}

/// What a card is made of, once its application has answered.
pub(super) struct Selected<'a> {
    pub(super) atr: &'a Atr,
    pub(super) families: &'a Families,
    /// The answer to [`Confirm::read`], where it was sent.
    pub(super) read: Option<Response>,
}

/// The built-in families, in the order in which Windows probes for them: PIV, GIDS, OpenPGP. A new family is a variant of
/// [`Family`] and a row here; its ATRs are rows of [`super::atr`].
pub(super) const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        family: Family::Piv,
        title: "PIV",
        select: piv::commands::select,
        answers: |answer| answer.status().is_ok() && !names_another_than_piv(answer),
        confirm: Some(Confirm {
            needed: |answer| !Piv::is_selected(answer),
            read: piv::identification,
            name: "GET DATA CHUID",
            of_claimed_cards: false,
            answers: Piv::is_identification,
        }),
        make: |selected| {
            let card = selected.read.as_ref().map_or_else(Piv::new, Piv::identified_by);
            let letters = selected.families.pin_characters == PinCharacters::Ascii && atr::is_yubikey(selected.atr);
            Box::new(card.wanting(selected.families.piv_pin).taking_letters(letters))
        },
    },
    BuiltIn {
        family: Family::Gids,
        title: "GIDS",
        select: gids::commands::select,
        answers: Gids::is_selected,
        confirm: None,
        make: |selected| Box::new(Gids::new(selected.families.id_order, gids_limits(selected.atr, selected.families))),
    },
    BuiltIn {
        family: Family::OpenPgp,
        title: "OpenPGP card",
        select: openpgp::commands::select,
        answers: OpenPgp::is_selected,
        confirm: Some(Confirm {
            needed: |answer| answer.data().is_empty(),
            read: openpgp::identification,
            name: "GET DATA application related data",
            of_claimed_cards: true,
            answers: OpenPgp::is_identification,
        }),
        make: |selected| match &selected.read {
            Some(read) => Box::new(OpenPgp::identified_by(selected.families.id_order, read)),
            None => Box::new(OpenPgp::new(selected.families.id_order)),
        },
    },
];

/// A name that is a part of PIV's identifier names no other application, and neither does one that can't be read.
fn names_another_than_piv(answer: &Response) -> bool {
    !Piv::is_selected(answer) && named(answer.data()).is_some_and(|name| !piv::commands::AID.starts_with(name))
}

fn gids_limits(atr: &Atr, families: &Families) -> PinLimits {
    let by_atr = if atr::is_virtual_smart_card(atr) { gids::VIRTUAL_CARD_LIMITS } else { gids::APPLET_LIMITS };
    families.gids_limits.unwrap_or(by_atr)
}
