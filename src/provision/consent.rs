//! The yes of the PIN step: who is asked, what was done or begun before, and what nobody does unasked.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Asked, Job};
use crate::card::{Proof, Tries};
use crate::job::authority::Authority;
use crate::job::consent::{DoneBefore, Doubt, Proposal, Standing};
use crate::job::desk::Desk;
use crate::job::given::Given;
use crate::job::held::HeldCard;
use crate::job::issuer::{Assignment, PinMaker};
use crate::job::log::Log;
use crate::job::records::ResolveError;
use crate::job::secrets::Need;
use crate::job::supplier::Supplier;
use crate::job::{CardIdentity, Cause};
use crate::reader::{Presence, ReaderError, Readers};

/// What a person is to be asked about.
pub(super) struct Ask {
    pub card: CardIdentity,
    pub authority: Authority,
    pub done_before: Option<DoneBefore>,
    pub begun_elsewhere: bool,
    pub other_atr: Option<String>,
}

/// So often the reader is looked at while a person thinks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks at a reader whose card is let go of, so that a person is told at once where it was pulled.
struct Looks<'a> {
    readers: &'a dyn Readers,
    reader: &'a str,
    /// A card was seen when the person was asked.
    was_there: bool,
    last: Instant,
}

impl<'a> Looks<'a> {
    fn begin(readers: &'a dyn Readers, reader: &'a str) -> Self {
        let was_there = presence(readers, reader).is_ok_and(|now| now.is_some_and(|now| now.is_there()));
        Self { readers, reader, was_there, last: Instant::now() }
    }

    /// An error where the card is gone. One that was put back, or another in its place, is met by the job itself, as is a service that
    /// can't be asked now.
    fn look(&mut self) -> Result<(), Cause> {
        if !self.was_there || self.last.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        self.last = Instant::now();
        match presence(self.readers, self.reader) {
            Ok(now) if now.as_ref().is_none_or(|now| !now.is_there()) => {
                let reader = self.reader.to_owned();
                Err(ReaderError::CardRemoved { reader, operation: "a yes was awaited" }.into())
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

fn presence(readers: &dyn Readers, reader: &str) -> Result<Option<Presence>, ReaderError> {
    Ok(readers.list()?.into_iter().find(|entry| entry.name == reader).map(|entry| entry.presence))
}

/// Asks a person whether to go on; once in a job.
pub(super) fn consent(ask: &Ask, desk: &mut Desk<'_>, given: &mut Given) -> Result<(), Cause> {
    let Some(assignment) = &mut given.assignment else { return Ok(()) };
    let interrupted = desk.interrupted;
    let mut looks = Looks::begin(desk.readers, &ask.card.reader);
    let mut watch = || match interrupted.load(Ordering::Relaxed) {
        true => Err(Cause::Interrupted),
        false => looks.look(),
    };
    if let (Standing::Ask, Some(template), None) =
        (desk.supplier.standing(), assignment.template, &assignment.template_name)
    {
        assignment.template_name = desk.issuer.template_name(template, &mut watch)?;
    }
    desk.issuer.close();
    let Ask { card, authority, done_before, begun_elsewhere, other_atr } = ask;
    let proposal = Proposal {
        card,
        assignment,
        authority: *authority,
        done_before: done_before.as_ref(),
        begun_elsewhere: *begun_elsewhere,
        other_atr: other_atr.as_deref(),
    };
    desk.supplier.consent(&proposal, &mut watch)?;
    given.consented = true;
    given.told_of = done_before.as_ref().map(|done| done.journal.clone());
    Ok(())
}

/// Whether work on the request has begun, and not by a job of this journal. Who has named the request knows it.
pub(super) fn begun_elsewhere(job: &Job, assignment: &Assignment, log: &Log<'_>) -> bool {
    let is_named = job.asked != Asked::ByInsertion && job.wanted.request.is_some();
    assignment.is_executing && !is_named && assignment.request.is_some_and(|request| !log.knows(request))
}

/// Whether the server does not say for whom the request is.
pub(super) fn user_is_untold(assignment: &Assignment) -> bool {
    assignment.request.is_some() && assignment.target_user.is_none()
}

/// What a person decides, nobody does unasked.
pub(super) fn may_be_done_unasked(
    job: &Job,
    assignment: &Assignment,
    begun_elsewhere: bool,
) -> Result<(), ResolveError> {
    match (job.asked, assignment.request) {
        (Asked::ByInsertion, Some(request)) if begun_elsewhere => Err(ResolveError::BegunElsewhere { request }),
        (Asked::ByInsertion, Some(request)) if user_is_untold(assignment) => Err(ResolveError::UserUntold { request }),
        _ => Ok(()),
    }
}

/// What an earlier job has done of this one, where a person is to decide on it. The PIN that was handed over then would be
/// wrong after another one: it is not replaced unasked.
pub(super) fn done_before(
    card: &mut HeldCard,
    job: &Job,
    standing: Standing,
    log: &Log<'_>,
    assignment: &Assignment,
) -> Result<Option<DoneBefore>, Cause> {
    let Some(earlier) = log.done_before(assignment.request).filter(|_| job.asked != Asked::Again) else {
        return Ok(None);
    };
    let record = earlier.record;
    let done = DoneBefore {
        request: assignment.request.unwrap_or_default(),
        smartcard: assignment.smartcard,
        journal: record.id.clone(),
        whose: earlier.whose,
        at: record.changed().to_owned(),
    };
    if job.asked == Asked::ByInsertion {
        return Err(Cause::AlreadyDone(done));
    }
    if standing == Standing::Ask {
        return Ok(Some(done));
    }
    if record.smartcard() != Some(assignment.smartcard) {
        return Err(Cause::DoneInDoubt { done, doubt: Doubt::OtherRecord });
    }
    if log.is_doubted_by_agent(earlier) {
        return Err(Cause::DoneInDoubt { done, doubt: Doubt::AgentSince });
    }
    match card.proof_tries_left(Proof::CurrentPin)? {
        Tries::Left { left: 0, .. } => Err(Cause::DoneInDoubt { done, doubt: Doubt::Blocked }),
        Tries::Left { .. } | Tries::Untold => Err(Cause::AlreadyDone(done)),
    }
}

/// Whether the yes is there. Typing the new PIN is one: nobody does that for a card that is to stay as it is. A PIN from a
/// descriptor is none, and none is that of somebody who is to be told first what is odd about request or card.
pub(super) fn is_agreed_to(assignment: &Assignment, is_odd: bool, supplier: &dyn Supplier) -> bool {
    let is_typed = assignment.pin_maker == PinMaker::User && !supplier.at_hand(Need::NewPin);
    (is_typed && !is_odd && !user_is_untold(assignment)) || supplier.standing() == Standing::Given
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::{Connection, ReaderEntry};

    const READER: &str = "Reader";

    /// One reader, with or without a card that gives no answer.
    struct OneReader {
        has_card: bool,
    }

    impl Readers for OneReader {
        fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
            let presence = Presence { generation: 0, atr: None, mute: self.has_card };
            Ok(vec![ReaderEntry { name: READER.to_owned(), presence }])
        }

        fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
            Err(ReaderError::NoCard { reader: reader.to_owned() })
        }
    }

    fn look(was_there: bool, since: Duration, has_card: bool) -> Result<(), Cause> {
        let last = Instant::now().checked_sub(since).unwrap();
        Looks { readers: &OneReader { has_card }, reader: READER, was_there, last }.look()
    }

    #[test]
    fn a_card_that_was_there_is_looked_for_now_and_then() {
        let (long, short) = (LOOK_EVERY * 2, Duration::ZERO);
        assert!(matches!(look(true, long, false), Err(Cause::Reader(ReaderError::CardRemoved { .. }))));
        assert!(look(true, long, true).is_ok());
        assert!(look(true, short, false).is_ok(), "it was looked at just now");
        assert!(look(false, long, false).is_ok(), "there was none when the person was asked");
        assert!(Looks::begin(&OneReader { has_card: true }, READER).was_there);
        assert!(!Looks::begin(&OneReader { has_card: false }, READER).was_there);
    }
}
