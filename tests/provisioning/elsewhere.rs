//! What the journal of this machine's agent adds to a job of somebody else's: caution, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use pinwright::card::CardId;
use pinwright::exit::Exit;
use pinwright::job::Cause;
use pinwright::job::consent::Doubt;
use pinwright::job::elsewhere::{OtherJournal, Whose};
use pinwright::job::journal::{Journal, Record};
use pinwright::provision::{Asked, RiskedProof};
use pinwright::sim::fault::Fault;
use support::provisioning::{CARD_A, InsertedCard, JobSetup, Kind, Lines, Person, told};
use uuid::Uuid;

const KEEP: Duration = Duration::from_secs(3600);

/// An agent's journal, as it is when it is asked.
struct Agents(Arc<Journal>);

impl OtherJournal for Agents {
    fn records(&self, card_id: CardId) -> Vec<Record> {
        self.0.of_card(card_id.guid()).unwrap()
    }
}

/// A set-up whose jobs are a person's or an agent's, each noted in a journal of its own.
struct Machine {
    setup: JobSetup,
    agents: Arc<Journal>,
    own: Journal,
    _folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let agents = Arc::new(Journal::new(folder.path().join("agent"), KEEP));
        let own = Journal::new(folder.path().join("own"), KEEP);
        Self { setup: JobSetup::with(Kind::Gids, "server", &Lines::default(), |_| {}), agents, own, _folder: folder }
    }

    fn agent(&mut self) -> &mut JobSetup {
        self.setup.asked = Asked::ByInsertion;
        self.setup.journal = Some((*self.agents).clone());
        self.setup.elsewhere = None;
        &mut self.setup
    }

    fn person(&mut self) -> &mut JobSetup {
        self.setup.asked = Asked::ByPerson;
        self.setup.journal = Some(self.own.clone());
        self.setup.elsewhere = Some(Box::new(Agents(Arc::clone(&self.agents))));
        &mut self.setup
    }

    /// The key that the server answers with.
    fn answers_with(&self, key: [u8; 24]) {
        self.setup.server.state().change(|settings| settings.templates[0].default_admin_key = key);
    }
}

#[test]
fn what_the_agent_has_done_is_not_done_again_unasked() {
    let mut machine = Machine::new();
    let inserted = InsertedCard::new(Kind::Gids);
    let first = machine.agent().run(&inserted, &mut Person::default()).ok("agent").journal_id.unwrap();
    let pin = machine.setup.server.state().last_pin().unwrap();

    let failure = machine.person().run(&inserted, &mut Person::default()).failed_untouched("again");
    let Cause::AlreadyDone(done) = &*failure.cause else { panic!("{}", told(&failure)) };
    assert_eq!((&done.journal, done.whose, Exit::from(&failure)), (&first, Whose::Agent, Exit::Done));
    assert!(done.to_string().contains("in the agent's journal"), "{done}");
    assert_eq!(machine.setup.server.state().last_pin().unwrap(), pin);
    // Another record of the server, or a person at a terminal: as with one's own journal.
    let other = Uuid::from_u128(9);
    machine.setup.server.state().change(|settings| {
        settings.cards[0].uuid = other;
        settings.requests[0].new_card = Some(other);
    });
    let failure = machine.person().run(&inserted, &mut Person::default()).failed_untouched("another record");
    assert!(matches!(*failure.cause, Cause::DoneInDoubt { doubt: Doubt::OtherRecord, .. }), "{}", told(&failure));
    let mut person = Person { declines: true, ..Person::default() };
    machine.person().run(&inserted, &mut person).failed_untouched("declined");
    assert!(person.told.as_ref().unwrap().contains(&first), "{:?}", person.told);
    // Whoever knows it does it again, and then it is one's own journal that says so.
    machine.person().asked = Asked::Again;
    machine.setup.run(&inserted, &mut Person::default()).ok("again");
    let failure = machine.person().run(&inserted, &mut Person::default()).failed_untouched("own");
    assert!(matches!(&*failure.cause, Cause::AlreadyDone(done) if done.whose == Whose::Own), "{}", told(&failure));
}

#[test]
fn an_answer_that_was_refused_to_the_agent_is_barred() {
    let mut machine = Machine::new();
    let inserted = InsertedCard::new(Kind::Gids);
    machine.answers_with([0x5A; 24]);
    machine.agent().run(&inserted, &mut Person::default()).failed("wrong key");
    let calls = machine.setup.server.requests().len();
    let barred = machine.person().run(&inserted, &mut Person::default()).failed_untouched("barred");
    assert!(matches!(*barred.cause, Cause::AnswerBarred { .. }), "{}", told(&barred));
    assert!(barred.cause.to_string().contains("in the agent's journal"), "{}", told(&barred));
    assert_eq!((Exit::from(&barred), inserted.admin_answers()), (Exit::Attention, 1));
    let secret = |path: &str| path.contains("proposedpin") || path.contains("authenticationresponse");
    assert!(!machine.setup.server.requests()[calls..].iter().any(|call| secret(&call.path)));
    // A person takes the risk, and what one's own job was accepted with is not barred any more.
    machine.answers_with(support::provisioning::KEY);
    machine.person().risk = Some(RiskedProof::Admin);
    machine.setup.run(&inserted, &mut Person::default()).ok("risked");
    machine.person().risk = None;
    machine.setup.asked = Asked::Again;
    machine.setup.run(&inserted, &mut Person::default()).ok("free");
}

/// An agent that was accepted takes nothing from what one's own journal forbids.
#[test]
fn the_agents_success_lifts_no_bar() {
    let mut machine = Machine::new();
    let inserted = InsertedCard::new(Kind::Gids);
    machine.answers_with([0x5A; 24]);
    machine.person().run(&inserted, &mut Person::default()).failed("wrong key");
    machine.answers_with(support::provisioning::KEY);
    machine.agent().run(&inserted, &mut Person::default()).ok("agent");
    machine.person().asked = Asked::Again;
    let barred = machine.setup.run(&inserted, &mut Person::default()).failed_untouched("barred");
    assert!(matches!(*barred.cause, Cause::AnswerBarred { .. }), "{}", told(&barred));
    assert!(!barred.cause.to_string().contains("agent"), "{}", told(&barred));
}

/// One's own journal has the request as done, and the agent's a later job that was cut off while it set another PIN.
#[test]
fn what_the_agent_has_left_open_puts_ones_own_end_in_doubt() {
    let mut machine = Machine::new();
    let inserted = InsertedCard::new(Kind::Gids);
    machine.person().run(&inserted, &mut Person::default()).ok("own");
    machine.agent();
    machine.setup.server.state().change(|settings| settings.requests[0].uuid = Uuid::from_u128(8));
    // The answer to the command that sets the PIN.
    inserted.card.with(|tap| tap.faulty.after(7, Fault::LostAnswer));
    machine.setup.run(&inserted, &mut Person::default()).failed("cut off");
    assert!(inserted.card.with(|tap| tap.faulty.exhausted()), "the fault has struck");
    machine.setup.server.state().change(|settings| settings.requests[0].uuid = first_request(&machine.own));
    let failure = machine.person().run(&inserted, &mut Person::default()).failed_untouched("in doubt");
    assert!(matches!(*failure.cause, Cause::DoneInDoubt { doubt: Doubt::AgentSince, .. }), "{}", told(&failure));
    assert_eq!(Exit::from(&failure), Exit::Attention);
}

fn first_request(journal: &Journal) -> Uuid {
    journal.of_card(Kind::Gids.guid(CARD_A)).unwrap()[0].request().unwrap()
}

/// The agent does the card while the person thinks: their yes was none to that.
#[test]
fn what_the_agent_does_meanwhile_is_asked_about() {
    let mut machine = Machine::new();
    let inserted = InsertedCard::new(Kind::Gids);
    let mut agent =
        Machine { setup: JobSetup::with(Kind::Gids, "server", &Lines::default(), |_| {}), ..Machine::new() };
    agent.agents = Arc::clone(&machine.agents);
    let mut done = None;
    let mut asked = 0;
    let mut person = Person {
        thinking: Some(Box::new(|| {
            asked += 1;
            if done.is_none() {
                done = Some(agent.agent().run(&inserted, &mut Person::default()).ok("agent").journal_id.unwrap());
            }
        })),
        ..Person::default()
    };
    machine.person().run(&inserted, &mut person).ok("asked twice");
    let told_of = person.told.clone();
    drop(person);
    assert_eq!(asked, 2);
    assert!(told_of.unwrap().contains(&done.unwrap()));
}
