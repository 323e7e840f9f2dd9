//! The families that are built in: how each is selected, told, and made a card of.

use super::{Families, atr};
use crate::apdu::{Command, Response};
use crate::card::gids::{self, Gids};
use crate::card::openpgp::{self, OpenPgp};
use crate::card::piv::{self, Piv};
use crate::card::{Card, PinLimits};
use crate::reader::Atr;

/// A family that is built in.
pub(super) struct Family {
    /// As in `card.prefer` and in JSON.
    pub(super) name: &'static str,
    /// In words.
    pub(super) title: &'static str,
    /// Its application identifier, as far as all its cards share it.
    pub(super) aid: &'static [u8],
    pub(super) select: fn() -> Command,
    /// Whether this answer to [`Family::select`] comes from this application.
    pub(super) answers: fn(&Response) -> bool,
    /// What makes sure of an application whose answer to SELECT could be anybody's.
    pub(super) confirm: Option<Confirm>,
    pub(super) make: fn(&Selected<'_>) -> Box<dyn Card>,
}

/// A read that only this application answers.
pub(super) struct Confirm {
    /// Whether this answer to [`Family::select`] could be anybody's.
    pub(super) needed: fn(&Response) -> bool,
    pub(super) read: fn() -> Command,
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

/// The built-in families, in the order in which Windows probes for them: PIV, GIDS, OpenPGP. A new family is a row here, and
/// its ATRs are rows of [`super::atr`].
pub(super) const BUILT_IN: &[Family] = &[
    Family {
        name: "piv",
        title: "PIV",
        aid: &piv::commands::AID,
        select: piv::commands::select,
        answers: Piv::is_selected,
        confirm: None,
        make: |_| Box::new(Piv::new()),
    },
    Family {
        name: "gids",
        title: "GIDS",
        aid: &gids::commands::AID,
        select: gids::commands::select,
        answers: Gids::is_selected,
        confirm: None,
        make: |selected| Box::new(Gids::new(selected.families.id_order, gids_limits(selected.atr, selected.families))),
    },
    Family {
        name: "openpgp",
        title: "OpenPGP card",
        aid: &openpgp::commands::AID,
        select: openpgp::commands::select,
        answers: OpenPgp::is_selected,
        confirm: Some(Confirm {
            needed: |answer| answer.data().is_empty(),
            read: openpgp::identification,
            answers: OpenPgp::says_so,
        }),
        make: |selected| match &selected.read {
            Some(read) => Box::new(OpenPgp::told(selected.families.id_order, read)),
            None => Box::new(OpenPgp::new(selected.families.id_order)),
        },
    },
];

fn gids_limits(atr: &Atr, families: &Families) -> PinLimits {
    let by_atr = if atr::is_virtual_smart_card(atr) { gids::VIRTUAL_CARD_LIMITS } else { gids::APPLET_LIMITS };
    families.gids_limits.unwrap_or(by_atr)
}
