//! What the readers held at the last look, and what is different now.

use std::collections::BTreeMap;

use super::CardEvent;
use crate::reader::{Presence, ReaderEntry};

/// The readers and their cards at the last look.
#[derive(Default)]
pub(super) struct LastLook {
    readers: BTreeMap<String, Presence>,
    /// Cards that are still there are told of once more.
    tell_anew: bool,
}

impl LastLook {
    /// The next look tells of each card as if it had just been inserted, and of each that is gone by then as well.
    pub fn tell_cards_anew(&mut self) {
        self.tell_anew = true;
    }

    /// What is different now.
    pub fn compare(&mut self, entries: Vec<ReaderEntry>) -> Vec<CardEvent> {
        let mut events = Vec::new();
        let before = std::mem::take(&mut self.readers);
        let anew = std::mem::take(&mut self.tell_anew);
        let now: BTreeMap<String, Presence> = entries.into_iter().map(|entry| (entry.name, entry.presence)).collect();
        for (reader, presence) in &before {
            if !now.contains_key(reader) {
                if has_card(presence) {
                    events.push(CardEvent::Removed { reader: reader.clone() });
                }
                events.push(CardEvent::ReaderRemoved { reader: reader.clone() });
            }
        }
        for (reader, mut presence) in now {
            if !before.contains_key(&reader) {
                events.push(CardEvent::ReaderAdded { reader: reader.clone() });
            }
            let had = before.get(&reader).filter(|earlier| has_card(earlier));
            let same = had.filter(|had| is_same_card(had, &presence));
            if had.is_some() && same.is_none() {
                events.push(CardEvent::Removed { reader: reader.clone() });
            }
            let woke = same.is_some_and(|same| same.atr.is_none() && presence.atr.is_some());
            if let (Some(same), None) = (same, &presence.atr) {
                presence = same.clone();
            }
            if has_card(&presence) && (same.is_none() || woke || anew) {
                events.push(CardEvent::Inserted { reader: reader.clone(), presence: presence.clone() });
            }
            self.readers.insert(reader, presence);
        }
        events
    }
}

/// A mute card is a card: it may have been put in upside down.
fn has_card(presence: &Presence) -> bool {
    presence.atr.is_some() || presence.mute
}

/// The reader's count of insertions tells two cards apart; the ATR does where a system has no such count. A card that has lost its
/// power shows no ATR for a while and is still the same card, so its ATR is kept. A card that never showed one was mute. When it
/// shows one it is told as inserted, since nothing could be done with it before.
fn is_same_card(before: &Presence, now: &Presence) -> bool {
    let other_atr = matches!((&before.atr, &now.atr), (Some(a), Some(b)) if a != b);
    has_card(now) && before.generation == now.generation && !other_atr
}
