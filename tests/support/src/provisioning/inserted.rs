//! One card in one reader, looked at from both sides.

use pinwright::reader::Protocol;
use pinwright::sim::card::SharedCard;
use pinwright::sim::fault::Faulty;
use pinwright::sim::reader::{Slot, VirtualReaders};

use super::cards::{CARD_A, InspectableCard, KEY, Kind, OLD, TRIES, TappedCard};

/// The reader's name.
pub const READER: &str = "Test Reader 00 00";

/// One card in one reader.
pub struct InsertedCard {
    /// The card.
    pub card: SharedCard<TappedCard>,
    /// The readers, of which there is one.
    pub readers: VirtualReaders,
    /// Its reader.
    pub slot: Slot,
}

impl InsertedCard {
    /// With the PIN [`OLD`] and the admin key [`KEY`].
    pub fn new(kind: Kind) -> Self {
        Self::of(Faulty::new(kind.card(CARD_A, KEY, OLD)), kind)
    }

    /// A card that goes wrong as planned.
    pub fn of(faulty: Faulty<Box<dyn InspectableCard>>, kind: Kind) -> Self {
        let card = SharedCard::new(TappedCard::new(faulty));
        let mut readers = VirtualReaders::new();
        let slot = readers.add(READER);
        slot.insert(card.clone());
        if kind == Kind::IsoT0 {
            slot.set_protocol(Protocol::T0);
        }
        Self { card, readers, slot }
    }

    /// Changes answers on their way from the card.
    pub fn forge(&self, forge: impl FnMut(&[u8], Vec<u8>) -> Vec<u8> + Send + 'static) {
        self.card.with(|tap| tap.forge = Some(Box::new(forge)));
    }

    /// Gives answers instead of the card, which then never sees the command.
    pub fn instead(&self, instead: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) {
        self.card.with(|tap| tap.instead = Some(Box::new(instead)));
    }

    /// Ends what [`Self::forge`] and [`Self::instead`] have begun.
    pub fn honest(&self) {
        self.card.with(|tap| (tap.forge, tap.instead) = (None, None));
    }

    /// Whether the card has this PIN.
    pub fn pin_is(&self, pin: &[u8]) -> bool {
        self.card.with(|tap| tap.faulty.card().pin_is(pin))
    }

    /// Tries left of the PIN.
    pub fn tries(&self) -> u8 {
        self.card.with(|tap| tap.faulty.card().tries())
    }

    /// Tries that a PUK, PW3 or resetting code has lost.
    pub fn code_tries_lost(&self) -> u8 {
        self.card.with(|tap| tap.faulty.card().code_tries_lost())
    }

    /// Whether user or administrator is authenticated now.
    pub fn authenticated(&self) -> bool {
        self.card.with(|tap| tap.faulty.card().authenticated())
    }

    /// Commands that were sent.
    pub fn apdus(&self) -> usize {
        self.card.with(|tap| tap.sent.len())
    }

    /// Answers to an admin challenge that were sent.
    pub fn admin_answers(&self) -> usize {
        self.card.with(|tap| tap.admin_answers())
    }

    /// Forgets the commands that were sent.
    pub fn forget_sent(&self) {
        self.card.with(|tap| tap.sent.clear());
    }

    /// The card is as it was before the job: nothing risky was even sent.
    #[track_caller]
    pub fn assert_not_risked(&self, case: &str) {
        self.card.with(|tap| {
            assert_eq!(tap.admin_answers(), 0, "{case}: no admin answer");
            assert_eq!(tap.risky(), 0, "{case}: no PIN command");
            let card = tap.faulty.card();
            assert!(card.pin_is(OLD), "{case}: the old PIN");
            assert_eq!((card.tries(), card.code_tries_lost()), (TRIES, 0), "{case}: all tries");
            assert!(!card.authenticated(), "{case}: nobody authenticated");
        });
    }
}
