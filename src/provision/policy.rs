//! What the template's policy, the request and the card's status say together: which admin key is on the card, and who makes the PIN.

use super::rules::{AdminKeyRule, Rules};
use crate::job::issuer::PinMaker;
use crate::server::AdminKeyVersion;
use crate::server::policy::{SmartcardPolicy, UserPinOption};
use crate::server::wire::{CardStatus, Request, RequestType};

/// `UserPinOption` 3: the user provides the PIN, in Microsoft's order of the options.
const USER_PROVIDED: i64 = 3;

/// Which key is on the card now. Two pieces of evidence that disagree settle nothing, and then nothing is tried: a wrong
/// flag gives a well-formed answer that the card refuses and may count.
pub(super) fn admin_key(
    rule: AdminKeyRule,
    policy: &SmartcardPolicy,
    request: Option<&Request>,
    status: CardStatus,
) -> Result<AdminKeyVersion, String> {
    let kind = request.map(|request| request.kind);
    match (rule, policy.diversify_admin_key, kind, status) {
        (AdminKeyRule::Default, ..) => Ok(AdminKeyVersion::Default),
        (AdminKeyRule::Diversified, ..) => Ok(AdminKeyVersion::Diversified),
        // Never diversified.
        (AdminKeyRule::Policy, Some(false), ..) => Ok(AdminKeyVersion::Default),
        // Fresh, whatever is to become of it.
        (AdminKeyRule::Policy, _, Some(RequestType::Enroll), CardStatus::New | CardStatus::Assigned) => {
            Ok(AdminKeyVersion::Default)
        }
        // Issued earlier under a diversifying template.
        (AdminKeyRule::Policy, Some(true), Some(RequestType::Unblock), CardStatus::Active | CardStatus::Disabled) => {
            Ok(AdminKeyVersion::Diversified)
        }
        (AdminKeyRule::Policy, ..) => Err(evidence(rule, policy, request, status)),
    }
}

/// What speaks for one key or the other.
pub(super) fn evidence(
    rule: AdminKeyRule,
    policy: &SmartcardPolicy,
    request: Option<&Request>,
    status: CardStatus,
) -> String {
    if rule != AdminKeyRule::Policy {
        return "`--admin-key` or `card.admin_key` says so".to_owned();
    }
    let policy = match policy.diversify_admin_key {
        Some(true) => "diversifies admin keys",
        Some(false) => "does not diversify admin keys",
        None => "is not shown by the server",
    };
    let request = request.map_or("missing".to_owned(), |request| format!("{:?}", request.kind));
    format!("the policy {policy}, the request is {request}, the card is {status:?}")
}

pub(super) fn pin_maker(rules: &Rules, option: Option<&UserPinOption>) -> PinMaker {
    match option {
        Some(UserPinOption::Name(name)) => match name.to_ascii_lowercase().as_str() {
            "serverdistributed" | "randomized" | "customserverdistributed" => PinMaker::Server,
            "userprovided" => PinMaker::User,
            _ => PinMaker::Ask,
        },
        Some(UserPinOption::Number(number)) => rules
            .pin_makers
            .iter()
            .find(|(mapped, _)| mapped == number)
            .map(|(_, maker)| *maker)
            .unwrap_or(if *number == USER_PROVIDED { PinMaker::User } else { PinMaker::Ask }),
        None => PinMaker::Ask,
    }
}

pub(super) fn option_name(option: Option<&UserPinOption>) -> String {
    match option {
        Some(UserPinOption::Name(name)) => name.chars().filter(|c| c.is_ascii_alphanumeric()).take(40).collect(),
        Some(UserPinOption::Number(number)) => format!("UserPinOption {number}"),
        None => "not stated".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::server::wire::RequestStatus;

    fn request(kind: RequestType) -> Request {
        Request {
            uuid: Uuid::from_u128(1),
            kind,
            status: RequestStatus::Approved,
            new_smartcard: None,
            profile_template: None,
            target_user: None,
            submitted: None,
            completed: None,
            old_smartcard: None,
            comment: None,
            data: Vec::new(),
        }
    }

    #[test]
    fn the_option_is_told_as_the_policy_writes_it() {
        let name = |text: &str| option_name(Some(&UserPinOption::Name(text.to_owned())));
        assert_eq!(name("ServerDistributed"), "ServerDistributed");
        assert_eq!(name("\u{1b}[2JRandomized "), "2JRandomized");
        assert_eq!(name(&"x".repeat(100)).len(), 40);
        assert_eq!(option_name(Some(&UserPinOption::Number(7))), "UserPinOption 7");
        assert_eq!(option_name(None), "not stated");
    }

    #[test]
    fn the_flag_says_which_key_is_on_the_card() {
        use AdminKeyVersion::{Default as D, Diversified as V};
        use CardStatus::{Active, Assigned, New};
        use RequestType::{Enroll, Unblock};
        let cases = [
            (Some(false), Some(Unblock), Active, Some(D)),
            (Some(false), None, Active, Some(D)),
            (Some(true), Some(Enroll), New, Some(D)),
            (Some(true), Some(Enroll), Assigned, Some(D)),
            (Some(true), Some(Unblock), Active, Some(V)),
            (Some(true), Some(Enroll), Active, None),
            (Some(true), Some(Unblock), New, None),
            (None, Some(Unblock), Active, None),
            (Some(true), None, Active, None),
        ];
        for (diversify, kind, status, expected) in cases {
            let policy = SmartcardPolicy { diversify_admin_key: diversify, ..SmartcardPolicy::default() };
            let request = kind.map(request);
            let found = admin_key(AdminKeyRule::Policy, &policy, request.as_ref(), status);
            assert_eq!(found.clone().ok(), expected, "{diversify:?} {kind:?} {status:?}: {found:?}");
            let told = admin_key(AdminKeyRule::Diversified, &policy, request.as_ref(), status);
            assert_eq!(told, Ok(V));
        }
    }

    #[test]
    fn numbers_are_mapped_by_the_rules() {
        let mut rules = Rules::default();
        let number = |number| Some(UserPinOption::Number(number));
        assert_eq!(pin_maker(&rules, number(3).as_ref()), PinMaker::User);
        assert_eq!(pin_maker(&rules, number(1).as_ref()), PinMaker::Ask);
        rules.pin_makers = vec![(1, PinMaker::Server), (3, PinMaker::Ask)];
        assert_eq!(pin_maker(&rules, number(1).as_ref()), PinMaker::Server);
        assert_eq!(pin_maker(&rules, number(3).as_ref()), PinMaker::Ask);
        assert_eq!(pin_maker(&rules, Some(&UserPinOption::Name("Randomized".to_owned()))), PinMaker::Server);
        assert_eq!(pin_maker(&rules, None), PinMaker::Ask);
    }
}
