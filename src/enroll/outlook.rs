//! What an enrollment will do, as far as can be told now: the decision of [`next()`](super::next::next), asked again and again as if each
//! stage went well.

use super::next::{BoundTo, KeyHash, Next, Noted, NotedPair, Purpose, RequestSays, Said, next};
use crate::server::wire::RequestStatus;

/// More stages than any enrollment has.
const MOST: usize = 200;

/// The stages to come, in their order. The last one is [`Next::Done`], or the stop that is foreseen. `purpose` is what a request would
/// ask for that is still to be made.
#[must_use]
pub fn outlook(said: &Said, purpose: Purpose) -> Vec<Next> {
    let mut said = said.clone();
    let mut stages = Vec::new();
    while stages.len() < MOST {
        let stage = next(&said);
        stages.push(stage);
        if matches!(stage, Next::Done | Next::Stop(_)) {
            break;
        }
        assume(&mut said, stage, purpose);
    }
    stages
}

/// What is said once a stage has gone well.
fn assume(said: &mut Said, stage: Next, purpose: Purpose) {
    match stage {
        Next::Create => {
            let bound = if purpose == Purpose::Enroll { BoundTo::Nothing } else { BoundTo::ThisCard };
            said.journal.request = Noted::Done;
            said.server.request = Some(RequestSays { purpose, status: RequestStatus::Approved, bound });
        }
        Next::AwaitApproval => status(said, RequestStatus::Approved),
        Next::Bind => {
            if let Some(request) = &mut said.server.request {
                request.bound = BoundTo::ThisCard;
            }
        }
        Next::ReplaceAdminKey => {
            said.journal.admin_key = Noted::Done;
            said.journal.admin_key_proved = true;
        }
        Next::ProveAdminKey => {
            said.journal.admin_key = Noted::Done;
            said.journal.admin_key_proved = true;
        }
        Next::SetPin => {
            said.journal.pin_verified = true;
            said.pin_at_hand = true;
        }
        Next::Generate(index) => pair(said, index, Some([u8::try_from(index).unwrap_or(u8::MAX); 32])),
        Next::Adopt(index) => {
            let held = said.card.slots.get(index).and_then(|slot| slot.key);
            pair(said, index, held);
        }
        Next::Submit => said.journal.submission = Noted::Done,
        Next::Write(index) => {
            if let Some(slot) = said.card.slots.get_mut(index) {
                slot.has_our_certificate = true;
                slot.has_certificate = true;
            }
        }
        Next::Wipe => said.journal.wipe = Noted::Done,
        Next::Retire => said.server.card_is_retired = true,
        Next::Complete => {
            said.journal.completion = Noted::Done;
            status(said, RequestStatus::Completed);
        }
        Next::Done | Next::Stop(_) => {}
    }
}

fn status(said: &mut Said, status: RequestStatus) {
    if let Some(request) = &mut said.server.request {
        request.status = status;
    }
}

fn pair(said: &mut Said, index: usize, key: Option<KeyHash>) {
    if said.journal.pairs.len() <= index {
        said.journal.pairs.resize(index + 1, NotedPair::default());
    }
    if let Some(pair) = said.journal.pairs.get_mut(index) {
        pair.generation = Noted::Done;
        pair.made = key;
    }
    if let Some(slot) = said.card.slots.get_mut(index) {
        slot.key = key;
    }
}

#[cfg(test)]
mod tests {
    use super::super::next::{AdminKeyOnCard, Allowed, CardSays, JournalSays, ServerSays, SlotSays, Why};
    use super::*;

    fn said(slots: usize, create: bool) -> Said {
        Said {
            journal: JournalSays::default(),
            server: ServerSays {
                request: None,
                in_use_elsewhere: false,
                diversifies: true,
                has_issued: false,
                card_is_retired: false,
            },
            card: CardSays {
                admin_key: AdminKeyOnCard::Default,
                slots: vec![SlotSays::default(); slots],
                ..CardSays::default()
            },
            allowed: Allowed { create, ..Allowed::default() },
            pin_at_hand: false,
        }
    }

    #[test]
    fn a_whole_enrollment_is_foreseen() {
        use Next::{Bind, Complete, Create, Done, Generate, ReplaceAdminKey, SetPin, Submit, Write};
        assert_eq!(
            outlook(&said(2, true), Purpose::Enroll),
            [
                Create,
                Bind,
                ReplaceAdminKey,
                SetPin,
                Generate(0),
                Generate(1),
                Submit,
                Write(0),
                Write(1),
                Complete,
                Done
            ]
        );
        assert_eq!(outlook(&said(0, true), Purpose::Retire), [Create, Next::Retire, Complete, Done]);
        assert_eq!(outlook(&said(1, false), Purpose::Enroll), [Next::Stop(Why::NoRequest)]);
    }

    #[test]
    fn a_stop_ends_it() {
        let mut said = said(1, true);
        said.card.slots[0].key = Some([9; 32]);
        let stages = outlook(&said, Purpose::Enroll);
        assert_eq!(stages.last(), Some(&Next::Stop(Why::SlotInUse(0))));
    }
}
