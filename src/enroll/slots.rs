//! What the card says of the place of each key pair: what is there, whether it is ours, and what would be lost with it.

use super::key_pair::{PairPlan, key_hash};
use super::next::{KeyHash, SlotSays};
use crate::card::{CardError, Held, HeldKey, KeySlot, PivSlot, PublicKey, Room, SlotChoice, Taken, Vacant};
use crate::job::held::HeldCard;
use crate::job::{Cause, Step};

/// Stands for a key that is there and that the card does not give in a form of ours: it is nobody's that the journal knows.
pub const UNREADABLE_KEY: KeyHash = [0xFF; 32];

/// The keys of a PIV card that the PIN guards.
const PIV_SLOTS: [PivSlot; 3] = [PivSlot::Authentication, PivSlot::Signature, PivSlot::KeyManagement];

/// A key pair whose place is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What is to be made.
    pub plan: &'a PairPlan,
    /// Where the journal says that it was made, or was about to be.
    pub slot: Option<KeySlot>,
    /// The public key that the journal says was made there. A card that tells of no keys is believed to have it still.
    pub made: Option<KeyHash>,
    /// The certificate (DER) that was issued for it.
    pub certificate: Option<&'a [u8]>,
}

/// What a key pair could be made in.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing is lost.
    Vacant(Vacant),
    /// What is there would be lost.
    InUse(Taken),
}

impl Place {
    /// What would be lost, to be shown to the person who decides. [`KeySlot::decrypts`] says whether with the key goes what was
    /// encrypted for it.
    #[must_use]
    pub fn would_be_lost(&self) -> Option<&Held> {
        match self {
            Self::Vacant(_) => None,
            Self::InUse(taken) => Some(taken.held()),
        }
    }

    /// The place without what is there. Only for a caller to whom a person has said yes, or whose own key pair it is.
    #[must_use]
    pub fn give_up(self) -> Vacant {
        match self {
            Self::Vacant(vacant) => vacant,
            Self::InUse(taken) => taken.give_up(),
        }
    }
}

/// What the card says of the place of one key pair.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which place.
    pub slot: KeySlot,
    /// For the decision what comes next.
    pub says: SlotSays,
    /// The public key there, where the card tells it.
    pub key: Option<PublicKey>,
    /// What a key pair could be made in.
    pub place: Place,
}

/// Asks the card for the place of each key pair; no two have the same. 3 commands each on GIDS and 1 to 3 on PIV, and up to 6 more for
/// key and certificate of one that is in use. Costs no try.
///
/// # Errors
/// No answer; tables, keys or certificates that can't be read; a family without key pairs.
pub fn look(card: &mut HeldCard, wanted: &[Wanted<'_>]) -> Result<Vec<Seen>, Cause> {
    card.at(Step::LookAtSlots);
    let mut taken: Vec<KeySlot> = wanted.iter().filter_map(|wanted| wanted.slot).collect();
    let mut all = Vec::with_capacity(wanted.len());
    for one in wanted {
        let room = match one.slot {
            Some(slot) => card.room(SlotChoice::Named(slot))?,
            None => room(card, one.plan.choice, &taken)?,
        };
        let place = place(card, room, &taken)?;
        let seen = seen(card, one, place)?;
        taken.push(seen.slot);
        all.push(seen);
    }
    Ok(all)
}

/// The first room that no other key pair is given.
fn room(card: &mut HeldCard, choice: SlotChoice, taken: &[KeySlot]) -> Result<Room, Cause> {
    if let SlotChoice::Named(slot) = choice
        && is_taken(taken, slot)
    {
        // The configuration has changed since the journal named that place for another one.
        let left = PIV_SLOTS.map(KeySlot::Piv).into_iter().find(|slot| !is_taken(taken, *slot));
        return card.room(SlotChoice::Named(left.ok_or(CardError::NoLongerFree { slot })?));
    }
    let room = card.room(choice)?;
    let (SlotChoice::First(usage), Room::Free(vacant)) = (choice, &room) else { return Ok(room) };
    let KeySlot::Container { index: first, .. } = vacant.slot() else { return Ok(room) };
    if !is_taken(taken, vacant.slot()) {
        return Ok(room);
    }
    for index in first..=KeySlot::CONTAINER_MAX {
        let slot = KeySlot::Container { index, usage };
        if is_taken(taken, slot) {
            continue;
        }
        if let free @ Room::Free(_) = card.room(SlotChoice::Named(slot))? {
            return Ok(free);
        }
    }
    Ok(Room::Full(card.held_keys()?))
}

/// A container is one place, whatever the use of its key.
fn is_taken(taken: &[KeySlot], slot: KeySlot) -> bool {
    taken.iter().any(|other| match (*other, slot) {
        (KeySlot::Container { index, .. }, KeySlot::Container { index: wanted, .. }) => index == wanted,
        (other, slot) => other == slot,
    })
}

/// What a power cut has left of a registration in a place that the journal names is no loss. Of a full card one place is named, that of a key that decrypts nothing where
/// there is one.
fn place(card: &mut HeldCard, room: Room, taken: &[KeySlot]) -> Result<Place, Cause> {
    match room {
        Room::Free(vacant) => Ok(Place::Vacant(vacant)),
        Room::Taken(unfinished) if !unfinished.held().registered && !unfinished.held().certificate => {
            Ok(Place::Vacant(unfinished.give_up()))
        }
        Room::Taken(taken) => Ok(Place::InUse(taken)),
        Room::Full(held) => {
            let mut others: Vec<KeySlot> =
                held.iter().map(|held| held.slot).filter(|slot| !is_taken(taken, *slot)).collect();
            others.sort_by_key(|slot| slot.decrypts());
            let none = CardError::Incomplete { object: "key map", missing: "place for another key pair" };
            let slot = others.first().copied().ok_or(none)?;
            match card.room(SlotChoice::Named(slot))? {
                Room::Taken(taken) => Ok(Place::InUse(taken)),
                Room::Free(vacant) => Ok(Place::Vacant(vacant)),
                Room::Full(_) => Err(CardError::NoLongerFree { slot }.into()),
            }
        }
    }
}

/// What is in the place. A key that no program finds is none of the journal's.
fn seen(card: &mut HeldCard, wanted: &Wanted<'_>, place: Place) -> Result<Seen, Cause> {
    let (slot, held) = match &place {
        Place::Vacant(vacant) => (vacant.slot(), None),
        Place::InUse(taken) => (taken.place(), Some(taken.held())),
    };
    let is_told = match &place {
        Place::Vacant(vacant) => vacant.is_told(),
        Place::InUse(taken) => taken.held().key != HeldKey::Untold,
    };
    let has_key = held.is_some_and(|held| matches!(held.key, HeldKey::Made(_)));
    let is_found = held.is_some_and(|held| held.registered);
    let key = if has_key && is_found { card.public_key(slot)? } else { None };
    let hash = match &key {
        Some(key) => Some(key_hash(key)?),
        None if has_key => Some(UNREADABLE_KEY),
        None if is_told => None,
        None => wanted.made,
    };
    let certificate = held.filter(|held| held.certificate).map(|held| held.slot);
    let has_our_certificate = match (wanted.certificate, certificate) {
        (Some(own), Some(slot)) => card.certificate(slot)?.as_deref() == Some(own),
        (None, _) | (_, None) => false,
    };
    let container = held.filter(|_| hash.is_some()).and_then(|held| held.name.clone());
    let says = SlotSays { key: hash, container, has_our_certificate, has_certificate: certificate.is_some() };
    Ok(Seen { slot, says, key, place })
}
