//! What was seen last, and what is different now.

use std::collections::BTreeMap;

use super::CardEvent;
use crate::reader::{Presence, ReaderEntry};

/// What was seen last.
#[derive(Default)]
pub(super) struct Seen {
    readers: BTreeMap<String, Option<Presence>>,
}

impl Seen {
    pub fn forget_cards(&mut self) {
        self.readers.values_mut().for_each(|presence| *presence = None);
    }

    /// What is different now.
    pub fn compare(&mut self, entries: Vec<ReaderEntry>) -> Vec<CardEvent> {
        let mut events = Vec::new();
        let before = std::mem::take(&mut self.readers);
        let now: BTreeMap<String, Presence> = entries.into_iter().map(|entry| (entry.name, entry.presence)).collect();
        for (reader, presence) in &before {
            if !now.contains_key(reader) {
                if presence.as_ref().is_some_and(has_card) {
                    events.push(CardEvent::Removed { reader: reader.clone() });
                }
                events.push(CardEvent::ReaderRemoved { reader: reader.clone() });
            }
        }
        for (reader, presence) in now {
            let earlier = match before.get(&reader) {
                None => {
                    events.push(CardEvent::ReaderAdded { reader: reader.clone() });
                    None
                }
                Some(earlier) => earlier.as_ref(),
            };
            let had = earlier.filter(|earlier| has_card(earlier));
            let same = had.is_some_and(|had| is_same_card(had, &presence));
            if had.is_some() && !same {
                events.push(CardEvent::Removed { reader: reader.clone() });
            }
            if has_card(&presence) && !same {
                events.push(CardEvent::Inserted { reader: reader.clone(), presence: presence.clone() });
            }
            self.readers.insert(reader, Some(presence));
        }
        events
    }
}

/// A mute card is a card: it may have been put in upside down.
fn has_card(presence: &Presence) -> bool {
    presence.atr.is_some() || presence.mute
}

/// By the reader's count; the ATR tells only what the count of a system without one does not. A card that has lost its power
/// shows no ATR for a while, and is the same.
fn is_same_card(before: &Presence, now: &Presence) -> bool {
    let other_atr = matches!((&before.atr, &now.atr), (Some(a), Some(b)) if a != b);
    has_card(now) && before.generation == now.generation && !other_atr
}
