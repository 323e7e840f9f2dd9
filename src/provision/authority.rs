//! Which authority sets the PIN, what it needs, and whether a try of it may be risked.

use super::Job;
use super::rules::{AdminKeyRule, RiskedProof, Rules};
use crate::apdu::Status;
use crate::card::{CardError, Challenge, Credential, Proof, Tries, answer_with_admin_key};
use crate::job::authority::Authority;
use crate::job::cause::Cause;
use crate::job::effect::Change;
use crate::job::elsewhere::Earlier;
use crate::job::given::Given;
use crate::job::held::HeldCard;
use crate::job::issuer::Assignment;
use crate::job::log::Log;
use crate::job::records::ResolveError;
use crate::job::secrets::{Need, SecretError};
use crate::secret::AdminResponse;
use crate::server::AdminKeyVersion;

/// The first configured authority that the card has. One is chosen, and no second one is tried when it fails.
pub(super) fn choose(rules: &Rules, card: &HeldCard) -> Result<Authority, Cause> {
    let has = |authority: &Authority| card.takes(authority.proof());
    rules.authorities.iter().copied().find(has).ok_or_else(|| {
        let family = card.identity().family;
        let takes = Authority::ALL.into_iter().filter(has).collect::<Vec<_>>();
        let reason = rules.authorities.iter().find_map(|authority| card.why_not(authority.proof()));
        Cause::NoAuthority { configured: names(&rules.authorities), family, takes: names(&takes), reason }
    })
}

fn names(authorities: &[Authority]) -> String {
    authorities.iter().map(|authority| authority.name()).collect::<Vec<_>>().join(", ")
}

/// With which key the server is to answer, unless the card has refused that.
pub(super) fn answer_to_ask(
    authority: Authority,
    job: &Job,
    assignment: &Assignment,
    log: &Log<'_>,
) -> Result<Option<AdminKeyVersion>, Cause> {
    let answer = match job.rules.admin_key {
        AdminKeyRule::Policy => noted_key(authority, assignment, log)?,
        AdminKeyRule::Default | AdminKeyRule::Diversified => question_key(authority, assignment)?,
    };
    if job.risk != Some(RiskedProof::Admin) {
        log.answer_may_be_shown(authority, answer, &assignment.evidence)?;
    }
    Ok(answer)
}

/// Which key the server is to answer with, where it is the authority.
fn question_key(authority: Authority, assignment: &Assignment) -> Result<Option<AdminKeyVersion>, ResolveError> {
    match (authority, assignment.request, &assignment.admin_key) {
        (Authority::Server, None, _) => Err(ResolveError::NoRequest { smartcard: assignment.smartcard }),
        (Authority::Server, Some(_), Ok(version)) => Ok(Some(*version)),
        (Authority::Server, Some(_), Err(evidence)) => {
            Err(ResolveError::AdminKeyUnknown { evidence: evidence.clone() })
        }
        _ => Ok(None),
    }
}

/// The same with what the journal says of the admin key: an enrollment under way has replaced it, and the card's status does not
/// show that yet. Two pieces of evidence that disagree settle nothing.
fn noted_key(
    authority: Authority,
    assignment: &Assignment,
    log: &Log<'_>,
) -> Result<Option<AdminKeyVersion>, ResolveError> {
    let by_policy = question_key(authority, assignment);
    let Some(earlier) = log.admin_key_replaced().filter(|_| authority == Authority::Server) else { return by_policy };
    let (journal, evidence) = (earlier.named(), &assignment.evidence);
    let unknown = |what| ResolveError::AdminKeyUnknown { evidence: format!("{evidence}, and job {journal} {what}") };
    match (earlier.record.effect().admin_key, by_policy) {
        (Change::Unknown, _) => Err(unknown("was cut off while replacing the key")),
        (Change::New { .. }, Ok(_)) if earlier.record.request() == assignment.request => {
            Ok(Some(AdminKeyVersion::Diversified))
        }
        (Change::New { .. }, Ok(Some(AdminKeyVersion::Default))) => Err(unknown("has replaced the key")),
        (Change::New { .. } | Change::AsBefore, by_policy) => by_policy,
    }
}

/// The proof that the authority gives.
pub(super) fn credential<'a>(
    authority: Authority,
    given: &'a Given,
    challenge: Option<&Challenge>,
    answer: Option<AdminResponse>,
) -> Result<Credential<'a>, Cause> {
    let missing = |what| Cause::Secret(SecretError::NoTerminal { what });
    let code = || given.code().ok_or(missing(authority.need().map_or("the code", Need::what)));
    match authority {
        Authority::Server => answer.map(Credential::Answer).ok_or(missing("the server's answer")),
        Authority::AdminKey => {
            let key = given.admin_key().ok_or(missing("the admin key"))?;
            let challenge =
                challenge.ok_or(CardError::Incomplete { object: "session", missing: "challenge to answer" })?;
            Ok(Credential::Answer(answer_with_admin_key(key, challenge)?))
        }
        Authority::CurrentPin => given.current_pin().map(Credential::CurrentPin).ok_or(missing("the current PIN")),
        Authority::Puk => code().map(Credential::Puk),
        Authority::AdminPin => code().map(Credential::AdminPin),
        Authority::ResettingCode => code().map(Credential::ResettingCode),
    }
}

/// Whether one try of what the credential proves may be risked: the card's counter, and what earlier jobs left in doubt.
pub(super) fn may_be_risked(authority: Authority, job: &Job, card: &mut HeldCard, log: &Log<'_>) -> Result<(), Cause> {
    match authority {
        // Its counter can't be asked for: an answer that was refused is barred before one is asked for.
        Authority::Server | Authority::AdminKey => Ok(()),
        Authority::Puk | Authority::AdminPin | Authority::ResettingCode | Authority::CurrentPin => {
            let tries = told(authority.proof(), card.tries_to_risk(authority.proof()), job)?;
            enough_tries(authority, tries, job, card, log)
        }
    }
}

/// Whether so many tries are enough to risk one: the card's counter, and what earlier jobs left in doubt.
pub(super) fn enough_tries(
    authority: Authority,
    tries: Tries,
    job: &Job,
    card: &HeldCard,
    log: &Log<'_>,
) -> Result<(), Cause> {
    let min = job.rules.min_tries_left;
    match authority {
        Authority::CurrentPin => {
            let doubt = log.pin_is_uncertain().map(|earlier| Doubt { earlier, others: others(card, authority) });
            enough_pin_tries(tries, min, job.risk, doubt)
        }
        _ => enough_code_tries(authority, (tries, min), job.risk, log.code_try_in_doubt(authority)),
    }
}

/// The tries left. A card that does not know VERIFY without data refuses it and spends no try: its counter is untold, and a
/// person decides whether one is risked.
///
/// # Errors
/// [`Cause::CounterRefused`], and every other failure as it is.
pub(super) fn told(proof: Proof, asked: Result<Tries, Cause>, job: &Job) -> Result<Tries, Cause> {
    match asked {
        Err(Cause::Card(CardError::Refused { command: "VERIFY (status)", status })) if is_unknown_question(status) => {
            if job.risk == Some(RiskedProof::Pin) {
                Ok(Tries::Untold)
            } else {
                Err(Cause::CounterRefused { what: proof.what(), status })
            }
        }
        asked => asked,
    }
}

/// The words with which cards refuse VERIFY without data; never `6983` or `63Cx`, which answer it.
fn is_unknown_question(status: Status) -> bool {
    [Status::WRONG_LENGTH, Status::WRONG_DATA, Status::WRONG_PARAMETERS, Status::INS_NOT_SUPPORTED].contains(&status)
}

/// An earlier job that may have changed the PIN, and the authorities that don't depend on it.
struct Doubt<'a> {
    earlier: Earlier<'a>,
    others: String,
}

/// Where an earlier job may have changed the PIN, one try is risked only if the next job could still risk one.
fn enough_pin_tries(tries: Tries, min: u8, risk: Option<RiskedProof>, doubt: Option<Doubt<'_>>) -> Result<(), Cause> {
    match (tries, doubt) {
        (Tries::Left { left, .. }, _) if left < min => {
            Err(Cause::FewTries { what: Proof::CurrentPin.what(), left, min })
        }
        (Tries::Left { left, .. }, Some(doubt)) if left == min => Err(uncertain_pin(doubt)),
        (Tries::Untold, Some(doubt)) if risk != Some(RiskedProof::Pin) => Err(uncertain_pin(doubt)),
        (Tries::Left { .. } | Tries::Untold, _) => Ok(()),
    }
}

/// A code whose counter the card tells needs enough of them. Of one that the card keeps to itself one try is risked, once: a
/// journal that leaves a try of it in doubt forbids the next.
fn enough_code_tries(
    authority: Authority,
    (tries, min): (Tries, u8),
    risk: Option<RiskedProof>,
    in_doubt: Option<Earlier<'_>>,
) -> Result<(), Cause> {
    let what = authority.proof().what();
    match (tries, in_doubt) {
        (Tries::Left { left, .. }, _) if left < min => Err(Cause::FewTries { what, left, min }),
        (Tries::Untold, Some(earlier)) if risk != Some(RiskedProof::Puk) => {
            Err(Cause::UncountedTry { what, journal: earlier.named() })
        }
        (Tries::Left { .. } | Tries::Untold, _) => Ok(()),
    }
}

fn uncertain_pin(Doubt { earlier, others }: Doubt<'_>) -> Cause {
    Cause::UncertainPin { journal: earlier.named(), meaning: earlier.record.meaning(), others }
}

/// What the card takes beside this authority.
fn others(card: &HeldCard, authority: Authority) -> String {
    let other = |other: &Authority| *other != authority && card.takes(other.proof());
    names(&Authority::ALL.into_iter().filter(other).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::effect::ProofState;
    use std::time::Duration;

    use uuid::Uuid;

    use crate::card::{CardId, IdOrder};
    use crate::job::fit::PolicyLengths;
    use crate::job::issuer::PinMaker;
    use crate::job::journal::{Entry, Facts, JobKind, Journal, Moment, Phase, Record, Stage, Version};

    /// A job that may have changed the PIN.
    fn record() -> Record {
        let at = "2026-11-29T00:00:00Z".to_owned();
        let (stage, phase, proof) = (Stage::Pin, Phase::Unknown, ProofState::Accepted);
        let entries = vec![Entry { at: at.clone(), stage, phase, proof, facts: Facts::default() }];
        Record { version: Version::Two, id: "1-2".to_owned(), job: JobKind::SetPin, started: at, entries }
    }

    fn left(left: u8) -> Tries {
        Tries::Left { left, max: None }
    }

    #[test]
    fn in_doubt_of_the_pin_a_try_is_risked_where_another_is_left_or_a_person_says_so() {
        let earlier = record();
        let doubt = || Some(Doubt { earlier: Earlier::own(&earlier), others: String::new() });
        let is_uncertain = |result| matches!(result, Err(Cause::UncertainPin { .. }));
        assert!(matches!(enough_pin_tries(left(1), 2, None, None), Err(Cause::FewTries { left: 1, min: 2, .. })));
        assert!(enough_pin_tries(left(2), 2, None, None).is_ok());
        assert!(is_uncertain(enough_pin_tries(left(2), 2, None, doubt())));
        assert!(enough_pin_tries(left(3), 2, None, doubt()).is_ok());
        assert!(enough_pin_tries(Tries::Untold, 2, None, None).is_ok());
        for risk in [None, Some(RiskedProof::Puk)] {
            assert!(is_uncertain(enough_pin_tries(Tries::Untold, 2, risk, doubt())));
        }
        assert!(enough_pin_tries(Tries::Untold, 2, Some(RiskedProof::Pin), doubt()).is_ok());
    }

    #[test]
    fn an_untold_code_is_tried_once_unless_a_person_risks_more() {
        let earlier = record();
        let doubt = || Some(Earlier::own(&earlier));
        let tries = |tries, risk, doubt| enough_code_tries(Authority::Puk, (tries, 2), risk, doubt);
        assert!(matches!(tries(left(1), None, None), Err(Cause::FewTries { left: 1, min: 2, .. })));
        assert!(tries(left(2), None, doubt()).is_ok());
        assert!(tries(Tries::Untold, None, None).is_ok());
        for risk in [None, Some(RiskedProof::Pin)] {
            assert!(matches!(tries(Tries::Untold, risk, doubt()), Err(Cause::UncountedTry { .. })));
        }
        assert!(tries(Tries::Untold, Some(RiskedProof::Puk), doubt()).is_ok());
    }

    fn assignment(request: Uuid, admin_key: Result<AdminKeyVersion, String>) -> Assignment {
        Assignment {
            smartcard: Uuid::from_u128(1),
            request: Some(request),
            target_user: None,
            is_of_others: false,
            is_executing: false,
            template: None,
            template_name: None,
            admin_key,
            evidence: "the policy says so".to_owned(),
            atr: String::new(),
            pin_maker: PinMaker::Server,
            pin_option: String::new(),
            policy: PolicyLengths::default(),
        }
    }

    #[test]
    fn the_key_that_an_enrollment_has_written_is_the_one_to_answer_with() {
        use AdminKeyVersion::{Default as D, Diversified as V};
        const OURS: Uuid = Uuid::from_u128(5);
        const OTHER: Uuid = Uuid::from_u128(6);
        let card_id = CardId::new(&[7; 16], IdOrder::Raw).unwrap();
        let (new, unknown) = (Some(Phase::Done), Some(Phase::Unknown));
        // How far the enrollment has come with the key, whose request it is, and what the policy says.
        let cases = [
            (None, OURS, Ok(D), Ok(D)),
            (new, OURS, Ok(D), Ok(V)),
            (new, OURS, Ok(V), Ok(V)),
            (new, OTHER, Ok(D), Err("has replaced the key")),
            (new, OTHER, Ok(V), Ok(V)),
            (new, OURS, Err(()), Err("the policy says nothing")),
            (unknown, OURS, Ok(D), Err("was cut off while replacing the key")),
            (unknown, OTHER, Ok(V), Err("was cut off while replacing the key")),
        ];
        for (phase, request, policy, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let journal = Journal::new(folder.path().join("journal"), Duration::from_secs(3600));
            let claim = journal.claim(card_id.guid()).unwrap();
            let facts = Facts { request: Some(OURS), ..Facts::default() };
            let first = Moment { facts, ..Moment::new(Stage::Bind, Phase::Done, ProofState::NotShown) };
            let mut job = claim.begin(JobKind::Enroll, first).unwrap();
            for phase in phase.into_iter().flat_map(|phase| [Phase::AboutTo, phase]) {
                job.note(Moment::new(Stage::AdminKey, phase, ProofState::Accepted)).unwrap();
            }
            let log = Log::look(Some(&journal), None, card_id).unwrap();
            let assignment = assignment(request, policy.map_err(|()| "the policy says nothing".to_owned()));
            let told = noted_key(Authority::Server, &assignment, &log).map_err(|error| error.to_string());
            match (&told, expected) {
                (Ok(Some(key)), Ok(expected)) => assert_eq!(*key, expected, "{phase:?} {request}"),
                (Err(text), Err(words)) => assert!(text.contains(words), "{text}"),
                _ => panic!("{phase:?} {request}: {told:?}"),
            }
            assert!(noted_key(Authority::Puk, &assignment, &log).is_ok_and(|key| key.is_none()));
        }
    }
}
