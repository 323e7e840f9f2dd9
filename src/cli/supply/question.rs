//! What a person is asked before a card is written to.

use crate::job::consent::Proposal;
use crate::job::issuer::PinMaker;

/// The question, with all that the yes is about.
pub(super) fn question(proposal: &Proposal<'_>) -> String {
    let Proposal { card, assignment, done_before, .. } = proposal;
    let before = done_before
        .map_or_else(String::new, |done| format!("Note: {done}; the PIN that was handed over then will be wrong.\n"));
    let request = assignment.request.map_or_else(String::new, |request| format!(", for request {request}"));
    let whose = match assignment.pin_maker {
        PinMaker::Server => "the one that the server proposes",
        PinMaker::User => "the one that you give",
        PinMaker::Ask => "the one that the server proposes, or that you give where it has none",
    };
    format!("{before}Replace the PIN of card {} in reader {:?}{request} by {whose}? [y/N] ", card.card_id, card.reader)
}
