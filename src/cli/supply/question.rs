//! What a person is asked before a card is written to.

use crate::job::consent::Proposal;
use crate::job::issuer::PinMaker;
use crate::job::undertaking::Undertaking;

/// The question, with all that the yes is about.
pub(super) fn question(proposal: &Proposal<'_>) -> String {
    let Proposal { card, assignment, done_before, begun_elsewhere, other_atr, .. } = proposal;
    let before = done_before
        .map_or_else(String::new, |done| format!("Note: {done}; the PIN that was handed over then will be wrong.\n"));
    let request = assignment.request.map_or_else(String::new, |request| format!(", for request {request}"));
    let user = match (assignment.request, assignment.target_user) {
        (None, _) => String::new(),
        (Some(_), Some(user)) => format!(" (for user {user})"),
        (Some(_), None) => " (the server does not say for whom it is)".to_owned(),
    };
    let template = assignment.template_told().map_or_else(String::new, |told| format!(" under template {told}"));
    let begun = match begun_elsewhere {
        true => "Note: somebody else has begun to work on this request (Executing).\n",
        false => "",
    };
    let other = other_atr.map_or_else(String::new, |doubt| format!("Note: {doubt}.\n"));
    let whose = match assignment.pin_maker {
        PinMaker::Server => "the one that the server proposes",
        PinMaker::User => "the one that you give",
        PinMaker::Ask => "the one that the server proposes, or that you give where it has none",
    };
    format!(
        "{before}{begun}{other}Replace the PIN of card {} in reader {:?}{request}{user}{template} by {whose}? [y/N] ",
        card.card_id, card.reader
    )
}

/// The question before an enrollment, with all that the yes is about.
pub(super) fn undertaking(undertaking: &Undertaking<'_>) -> String {
    let Undertaking { card, request, target_user, template, stages, notes, .. } = undertaking;
    let notes: String = notes.iter().map(|note| format!("Note: {note}.\n")).collect();
    let request = request.map_or_else(
        || "Make a request, and carry it out".to_owned(),
        |request| format!("Carry out request {request}"),
    );
    let user = target_user
        .map_or_else(|| " (the server does not say for whom it is)".to_owned(), |user| format!(" for user {user}"));
    let template = template.as_ref().map_or_else(String::new, |template| format!(" under template {template}"));
    let stages: String = stages.iter().enumerate().map(|(at, stage)| format!("  {}. {stage}\n", at + 1)).collect();
    let lost = lost(undertaking);
    format!(
        "{notes}{request}{user}{template}, with card {} in reader {:?}:\n{stages}{lost}Go on? [y/N] ",
        card.card_id, card.reader
    )
}

/// The question about what would be lost, where the yes to everything else was said beforehand.
pub(super) fn loss(undertaking: &Undertaking<'_>) -> String {
    let card = undertaking.card;
    format!("Card {} in reader {:?}.\n{}Give that up? [y/N] ", card.card_id, card.reader, lost(undertaking))
}

fn lost(undertaking: &Undertaking<'_>) -> String {
    match &undertaking.lost[..] {
        [] => String::new(),
        lost => {
            let lost: String = lost.iter().map(|thing| format!("  - {thing}\n")).collect();
            format!("Lost on the card:\n{lost}")
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::card::{CardId, Family, IdOrder};
    use crate::job::CardIdentity;
    use crate::job::authority::Authority;
    use crate::job::fit::PolicyLengths;
    use crate::job::issuer::Assignment;
    use crate::reader::Atr;
    use crate::server::AdminKeyVersion;

    fn card() -> CardIdentity {
        CardIdentity {
            reader: "r".to_owned(),
            family: Family::Gids,
            application: "gids".to_owned(),
            atr: Atr::new(&[0x3B]),
            card_id: CardId::new(&[1; 16], IdOrder::Raw).unwrap(),
            has_own_id: true,
        }
    }

    #[test]
    fn the_question_says_for_whom_and_under_which_template() {
        let card = card();
        let mut assignment = Assignment {
            smartcard: Uuid::from_u128(1),
            request: Some(Uuid::from_u128(2)),
            target_user: Some(Uuid::from_u128(3)),
            is_of_others: true,
            is_executing: true,
            template: Some(Uuid::from_u128(4)),
            template_name: Some("Logon\u{202e}".to_owned()),
            atr: String::new(),
            admin_key: Ok(AdminKeyVersion::Default),
            evidence: String::new(),
            pin_maker: PinMaker::Server,
            pin_option: String::new(),
            policy: PolicyLengths::default(),
        };
        let asked = |assignment: &Assignment, begun_elsewhere| {
            let authority = Authority::Server;
            let (done_before, other_atr) = (None, None);
            question(&Proposal { card: &card, assignment, authority, done_before, begun_elsewhere, other_atr })
        };
        let text = asked(&assignment, false);
        for id in [2, 3, 4] {
            assert!(text.contains(&Uuid::from_u128(id).to_string()), "{text}");
        }
        assert!(text.contains(r#"under template "Logon\u{202e}""#) && !text.contains("begun"), "{text}");
        assignment.target_user = None;
        let text = asked(&assignment, true);
        assert!(text.starts_with("Note: somebody else has begun"), "{text}");
        assert!(text.contains("the server does not say for whom it is"), "{text}");
    }

    #[test]
    fn what_would_be_lost_is_listed_in_either_question() {
        let card = card();
        let mut about = Undertaking {
            card: &card,
            request: None,
            target_user: Some(Uuid::from_u128(3)),
            template: Some("\"Logon\"".to_owned()),
            stages: vec!["create the request".to_owned(), "set the PIN".to_owned()],
            lost: Vec::new(),
            notes: vec!["somebody else has begun".to_owned()],
        };
        let reader = format!("with card {} in reader \"r\"", card.card_id);
        assert_eq!(
            undertaking(&about),
            format!(
                "Note: somebody else has begun.\nMake a request, and carry it out for user {} under template \"Logon\", \
                 {reader}:\n  1. create the request\n  2. set the PIN\nGo on? [y/N] ",
                Uuid::from_u128(3)
            )
        );
        about.lost = vec!["the key in slot 9d, which decrypts".to_owned()];
        about.request = Some(Uuid::from_u128(2));
        let asked = undertaking(&about);
        assert!(asked.starts_with("Note: ") && asked.contains(&format!("Carry out request {}", Uuid::from_u128(2))));
        for asked in [asked, loss(&about)] {
            assert!(asked.contains("Lost on the card:\n  - the key in slot 9d, which decrypts\n"), "{asked}");
        }
    }
}
