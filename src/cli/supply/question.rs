//! What a person is asked before a card is written to.

use crate::job::consent::Proposal;
use crate::job::issuer::PinMaker;

/// The question, with all that the yes is about.
pub(super) fn question(proposal: &Proposal<'_>) -> String {
    let Proposal { card, assignment, done_before, begun_elsewhere, .. } = proposal;
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
    let whose = match assignment.pin_maker {
        PinMaker::Server => "the one that the server proposes",
        PinMaker::User => "the one that you give",
        PinMaker::Ask => "the one that the server proposes, or that you give where it has none",
    };
    format!(
        "{before}{begun}Replace the PIN of card {} in reader {:?}{request}{user}{template} by {whose}? [y/N] ",
        card.card_id, card.reader
    )
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

    #[test]
    fn the_question_says_for_whom_and_under_which_template() {
        let card = CardIdentity {
            reader: "r".to_owned(),
            family: Family::Gids,
            application: "gids".to_owned(),
            atr: Atr::new(&[0x3B]),
            card_id: CardId::new(&[1; 16], IdOrder::Raw).unwrap(),
            has_own_id: true,
        };
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
            question(&Proposal { card: &card, assignment, authority, done_before: None, begun_elsewhere })
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
}
