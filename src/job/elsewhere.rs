//! What the journal of this machine's agent knows of a card, beside one's own. It adds caution and takes none away: what one's own
//! journal says stands, and only a later job of one's own settles what the agent's leaves open.

use uuid::Uuid;

use super::authority::Authority;
use super::journal::{JobKind, Record, done};
use super::past;
use crate::card::CardId;
use crate::server::AdminKeyVersion;

/// Another journal, which can be asked about a card.
pub trait OtherJournal {
    /// Its records of the card, oldest first; none where there is no such journal, or none that may be believed. Comes back soon:
    /// the card is held meanwhile.
    fn records(&self, card_id: CardId) -> Vec<Record>;
}

/// Whose journal a record is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The one that this job is noted in.
    Own,
    /// The agent's.
    Agent,
}

impl Whose {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Agent => "agent",
        }
    }
}

/// A record of an earlier job, and whose journal it is in.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    /// The record.
    pub record: &'a Record,
    /// Whose journal it is in.
    pub whose: Whose,
}

impl<'a> Earlier<'a> {
    /// One's own.
    #[must_use]
    pub fn own(record: &'a Record) -> Self {
        Self { record, whose: Whose::Own }
    }

    /// The job's id, and where it is found if that is not in one's own journal.
    #[must_use]
    pub fn named(&self) -> String {
        match self.whose {
            Whose::Own => self.record.id.clone(),
            Whose::Agent => format!("{} in the agent's journal", self.record.id),
        }
    }
}

/// What the agent's journal has told of a card.
#[derive(Debug, Default)]
pub(super) struct AgentsRecords {
    /// Those that one's own later jobs have not settled, oldest first.
    records: Vec<Record>,
    /// The same, and one's own between them, in the order in which they were begun.
    merged: Vec<Record>,
}

impl AgentsRecords {
    /// Takes what was told beside one's own records. Where both journals are the same, nothing is left.
    pub fn new(told: Vec<Record>, own: &[Record]) -> Self {
        // A job settles those of its own kind alone.
        let settled = |record: &Record| {
            own.iter().any(|later| later.job == record.job && later.is_done() && begun(later) > begun(record))
        };
        let mut records = told;
        records.retain(|record| !own.iter().any(|own| own.id == record.id));
        records.retain(|record| !(record.is_open() && settled(record)));
        records.sort_by(|one, other| begun(one).cmp(&begun(other)));
        let mut merged: Vec<Record> = own.iter().chain(&records).cloned().collect();
        merged.sort_by(|one, other| begun(one).cmp(&begun(other)));
        Self { records, merged }
    }

    /// Those of the PIN step that are unsettled.
    pub fn open(&self) -> Vec<Record> {
        self.of_pin().filter(|record| record.is_open()).cloned().collect()
    }

    fn of_pin(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter().filter(|record| record.job == JobKind::SetPin)
    }

    /// The job that has carried this request to its good end.
    pub fn done(&self, request: Uuid) -> Option<Earlier<'_>> {
        done(&self.records, request).map(of_agent)
    }

    /// The job that may have changed the PIN since.
    pub fn pin_is_uncertain(&self) -> Option<Earlier<'_>> {
        self.of_pin().rfind(|record| record.is_open() && record.effect().pin.needs_attention()).map(of_agent)
    }

    /// The job that may have spent a try of this authority's code.
    pub fn try_in_doubt(&self, authority: Authority) -> Option<Earlier<'_>> {
        past::try_in_doubt(&self.merged, authority).map(of_agent)
    }

    /// The enrollment that has replaced the card's admin key, or may have.
    pub fn admin_key_replaced(&self) -> Option<Earlier<'_>> {
        past::admin_key_replaced(&self.merged).map(of_agent)
    }

    /// The job whose answer the card has refused.
    pub fn refused_answer(&self, authority: Authority, key: Option<AdminKeyVersion>) -> Option<Earlier<'_>> {
        past::refused_answer(&self.merged, authority, key).map(of_agent)
    }
}

/// When a job was begun: in the hold of the card in which it has shown its proof, so that jobs of two journals have an order. An id
/// begins with the milliseconds.
pub(super) fn begun(record: &Record) -> (&str, &str) {
    (&record.started, &record.id)
}

/// Asked only where one's own journal alone says nothing of the kind, so that one's own record here is no answer.
fn of_agent(record: &Record) -> Earlier<'_> {
    Earlier { record, whose: Whose::Agent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::effect::ProofState;
    use crate::job::journal::{Entry, Facts, JobKind, Phase, Stage, Version};

    const REQUEST: Uuid = Uuid::from_u128(1);

    /// A job that was begun at that second and came so far.
    fn record(second: u32, entries: &[(Stage, Phase, ProofState)]) -> Record {
        let facts = Facts {
            request: Some(REQUEST),
            authority: Some(Authority::Server.name().to_owned()),
            admin_key: Some(AdminKeyVersion::Default.name().to_owned()),
            ..Facts::default()
        };
        let entry = |(stage, phase, proof): &(Stage, Phase, ProofState)| Entry {
            // Settled much later: it is no reason to count as a later job.
            at: "2030-01-01T00:00:00Z".to_owned(),
            stage: *stage,
            phase: *phase,
            proof: *proof,
            facts: facts.clone(),
        };
        let started = format!("2026-01-01T00:00:{second:02}Z");
        let (version, id) = (Version::Two, format!("{second:011x}-0"));
        Record { version, id, job: JobKind::SetPin, started, entries: entries.iter().map(entry).collect() }
    }

    const SHOWN: (Stage, Phase, ProofState) = (Stage::Prove, Phase::AboutTo, ProofState::Shown);

    fn refused(second: u32) -> Record {
        record(second, &[SHOWN, (Stage::Prove, Phase::Refused, ProofState::Refused)])
    }

    fn finished(second: u32) -> Record {
        record(second, &[SHOWN, (Stage::Verify, Phase::Done, ProofState::Accepted)])
    }

    fn cut_off(second: u32) -> Record {
        record(second, &[SHOWN, (Stage::Pin, Phase::AboutTo, ProofState::Accepted)])
    }

    fn bars(told: &[Record], own: &[Record]) -> bool {
        let agents = AgentsRecords::new(told.to_vec(), own);
        agents.refused_answer(Authority::Server, Some(AdminKeyVersion::Default)).is_some()
    }

    #[test]
    fn a_refusal_told_by_the_agent_bars_until_an_answer_is_accepted() {
        assert!(bars(&[refused(5)], &[]) && bars(&[refused(5)], &[finished(4)]));
        assert!(!bars(&[refused(5)], &[finished(6)]), "a later job of one's own was accepted");
        assert!(!bars(&[refused(5), finished(6)], &[]) && !bars(&[], &[]));
        let agents = AgentsRecords::new(vec![refused(5)], &[]);
        let told = agents.refused_answer(Authority::Server, Some(AdminKeyVersion::Default)).unwrap();
        assert!(told.named().ends_with("in the agent's journal"), "{}", told.named());
    }

    #[test]
    fn a_job_that_the_agent_has_done_counts_unless_it_has_left_one_open() {
        let done = |told: &[Record], own: &[Record]| AgentsRecords::new(told.to_vec(), own).done(REQUEST).is_some();
        assert!(done(&[finished(5)], &[]) && !done(&[finished(5), cut_off(6)], &[]));
        assert!(done(&[cut_off(4), finished(5)], &[finished(6)]), "one's own later job has settled the open one");
        let own = finished(5);
        assert!(!done(std::slice::from_ref(&own), std::slice::from_ref(&own)), "both journals are the same");
    }

    #[test]
    fn what_the_agent_leaves_open_is_settled_by_a_later_job_of_ones_own_alone() {
        let uncertain = |told: &[Record], own: &[Record]| {
            AgentsRecords::new(told.to_vec(), own).pin_is_uncertain().map(|earlier| earlier.whose)
        };
        assert_eq!(uncertain(&[cut_off(5)], &[]), Some(Whose::Agent));
        assert_eq!(uncertain(&[cut_off(5)], &[finished(4)]), Some(Whose::Agent));
        assert_eq!(uncertain(&[cut_off(5)], &[refused(6)]), Some(Whose::Agent));
        assert_eq!(uncertain(&[cut_off(5)], &[finished(6)]), None);
    }

    /// What is told may be anything: it is put in an order, and nothing else.
    #[test]
    fn odd_times_settle_nothing_of_ones_own() {
        for started in ["", "9999", "2026-01-01T00:00:00+14:00", "\u{202e}"] {
            let odd = Record { started: started.to_owned(), ..finished(0) };
            let agents = AgentsRecords::new(vec![odd], &[refused(5)]);
            // One's own refusal is asked for in one's own journal, and this is only beside it.
            assert!(past::refused_answer(&[refused(5)], Authority::Server, Some(AdminKeyVersion::Default)).is_some());
            assert!(agents.open().is_empty());
        }
    }

    #[test]
    fn a_try_that_the_agent_may_have_spent_is_told_and_leaves_the_pin_alone() {
        let begun = |authority: Authority| {
            let mut record = record(5, &[SHOWN]);
            record.entries[0].facts.authority = Some(authority.name().to_owned());
            record
        };
        let agents = AgentsRecords::new(vec![begun(Authority::Puk), finished(6)], &[]);
        assert_eq!(agents.open().iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["00000000005-0"]);
        assert!(agents.pin_is_uncertain().is_none(), "a proof alone has changed no PIN");
        let told = |authority| agents.try_in_doubt(authority).map(|earlier| earlier.whose);
        assert_eq!((told(Authority::Puk), told(Authority::AdminPin)), (Some(Whose::Agent), None));
    }

    #[test]
    fn an_enrollment_of_the_agent_is_no_job_of_the_pin_step() {
        let of_enrollment = |record: Record| Record { job: JobKind::Enroll, ..record };
        let open = of_enrollment(cut_off(5));
        assert!(open.is_open());
        let agents = AgentsRecords::new(vec![finished(4), open.clone()], &[]);
        assert!(agents.open().is_empty() && agents.pin_is_uncertain().is_none());
        assert!(agents.done(REQUEST).is_some(), "what is open beside it is no PIN");
        // A good end settles its own kind alone: what is left says what may be refused.
        let left = |told: &Record, own: &Record| {
            AgentsRecords::new(vec![told.clone()], std::slice::from_ref(own)).records.len()
        };
        let completed = of_enrollment(record(6, &[SHOWN, (Stage::Completion, Phase::Done, ProofState::NotShown)]));
        assert_eq!([left(&open, &finished(6)), left(&open, &completed)], [1, 0]);
        assert_eq!([left(&cut_off(5), &completed), left(&cut_off(5), &finished(6))], [1, 0]);
    }
}
