//! A whole enrollment: from an empty card to a certificate in use.

use std::sync::Arc;

use super::card::{CODE, DemoCard, FACTORY_PIN};
use super::{Demonstration, StandIns, first_fault, in_use, path, yes};
use crate::cli::context::CommandContext;
use crate::cli::enroll::object::EnrolledObject;
use crate::cli::enroll::{EnrollArgs, EnrollCommand, carry_out_watched, told};
use crate::cli::error::CliError;
use crate::cli::inspect::ReportFormat;
use crate::cli::output::Costs;
use crate::cli::set_pin::{JobArgs, MeteredReaders};
use crate::cli::sim::Family;
use crate::enroll::job::{Ended, EnrollOutcome};
use crate::job::Step;
use crate::operation::Operation;
use crate::reader::record::Recording;
use crate::reader::traffic::{Meter, Traffic};
use crate::secret::scrub::on_own_stack;
use crate::sim::gids::GidsSettings;
use crate::sim::reader::VirtualReaders;
use crate::sim::server::{RequestStatus, SeenRequest, Settings, StandIn};

/// Enrolls a card that the server has never heard of, and uses its certificate.
pub(super) fn run(family: Family, format: ReportFormat, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let settings = template();
    let named = settings.templates.first().map(|template| template.name.clone());
    let stand_ins = StandIns::start(DemoCard::to_enroll(family), settings)?;
    let title = "A whole enrollment on stand-ins: a virtual card in a virtual reader, and a certificate server on this machine.";
    let mut demonstration = Demonstration::begin(title, &stand_ins, format.json, context)?;
    let StandIns { card, readers, server, config, .. } = &stand_ins;

    let meter = Arc::new(Meter::default());
    let traffic = Traffic::new(readers, Arc::clone(&meter));
    let recording = Recording::new(&traffic);
    let metered = MeteredReaders { readers: &recording, meter: &meter };
    let args =
        EnrollArgs { job: JobArgs { yes: true, ..JobArgs::default() }, template: named, ..EnrollArgs::default() };
    let mut marks = Vec::new();
    let mut mark = |step| marks.push(Mark { step, apdus: meter.apdus(), calls: server.requests().len() });
    let command = EnrollCommand::Enroll(&args);
    let watched = &mut *demonstration.context;
    // Client, runtime, card and secrets are made and dropped on that stack.
    let (ended, costs) = on_own_stack(|| carry_out_watched(config, command, metered, watched, &mut mark))?;
    let Ended::Done(outcome) = ended else { return Err(CliError::Demo("the request waits for approval")) };

    if format.verbose {
        demonstration.show_traffic(server, &recording.fixture())?;
    } else {
        show_stages(&mut demonstration, &marks, &costs, &server.requests())?;
    }
    for line in told::lines(&outcome, &costs, true) {
        demonstration.show(&line.shown(false))?;
    }
    check(&mut demonstration, card, server, readers, &outcome)?;
    if format.json {
        return context.print_json(&EnrolledObject::new(Operation::Demo.schema(), &outcome, &costs));
    }
    Ok(())
}

/// A server that has heard of no card, and whose template wants an admin key for each card and a key pair of RSA 2048.
fn template() -> Settings {
    let mut settings = Settings { cards: Vec::new(), requests: Vec::new(), ..Settings::empty() };
    let mut template = crate::sim::server::Template::sample(GidsSettings::default().admin_key);
    template.diversify_admin_key = true;
    for key in &mut template.keys {
        "SHA256".clone_into(&mut key.hash);
    }
    settings.templates.push(template);
    settings
}

/// The beginning of a step.
struct Mark {
    step: Step,
    /// Commands to the card before it.
    apdus: u32,
    /// Calls of the server before it.
    calls: usize,
}

/// What the steps of one stage have sent.
#[derive(Default)]
struct Sent<'a> {
    apdus: u32,
    looks: usize,
    changes: Vec<&'a SeenRequest>,
}

/// The stage that a step belongs to; a step that looks or proves belongs to the stage that follows.
fn stage(step: Step) -> Option<&'static str> {
    match step {
        Step::CreateRequest => Some("request"),
        Step::BindCard => Some("bind"),
        Step::ReplaceAdminKey | Step::ProveAdminKey => Some("admin-key"),
        Step::SetPin | Step::Verify => Some("pin"),
        Step::GenerateKeyPair | Step::SignRequest => Some("key-pair"),
        Step::Submit => Some("submission"),
        Step::WriteCertificate => Some("certificate"),
        Step::Complete => Some("completion"),
        _ => None,
    }
}

/// Shows what each stage has sent: commands to the card, and calls of the server, by their paths where they change it.
fn show_stages(
    demonstration: &mut Demonstration<'_, '_>,
    marks: &[Mark],
    costs: &Costs,
    calls: &[SeenRequest],
) -> Result<(), CliError> {
    demonstration
        .show("Stage by stage: commands to the card, looks at the server, and what changes it (-v shows all of it)")?;
    let mut sent = Sent::default();
    for (at, mark) in marks.iter().enumerate() {
        let next = marks.get(at + 1);
        let (apdus, end) = next.map_or((costs.apdus, calls.len()), |next| (next.apdus, next.calls));
        let of_step = calls.get(mark.calls..end).unwrap_or_default();
        sent.apdus += apdus - mark.apdus;
        sent.looks += of_step.iter().filter(|call| call.method == "GET").count();
        sent.changes.extend(of_step.iter().filter(|call| call.method != "GET"));
        let Some(stage) = stage(mark.step) else { continue };
        if next.is_some_and(|next| self::stage(next.step) == Some(stage)) {
            continue;
        }
        let Sent { apdus, looks, changes } = std::mem::take(&mut sent);
        if (apdus, looks, changes.len()) == (0, 0, 0) {
            continue;
        }
        let changes = changes.iter().map(|call| format!("  {} {}", call.method, path(call)));
        demonstration
            .show(&format!("  {stage:<12} {apdus:>2} APDUs {looks:>3} GETs{}", changes.collect::<String>()))?;
    }
    demonstration.show("")
}

/// Has the certificate used, asks both stand-ins what is true of card and server, and searches what was shown for secrets.
fn check(
    demonstration: &mut Demonstration<'_, '_>,
    card: &DemoCard,
    server: &StandIn,
    readers: &VirtualReaders,
    outcome: &EnrollOutcome,
) -> Result<(), CliError> {
    let pin = server.state().last_pin().ok_or(CliError::Demo("the server has given out no PIN"))?;
    let key = server.state().diversified_key(card.card_id);
    let factory_key = GidsSettings::default().admin_key;
    let written = outcome.certificates.first().ok_or(CliError::Demo("no certificate was written"))?;
    let authorities = server.state().authorities_pem().map_err(|error| CliError::StandIn(Box::new(error)))?;
    let completed = |settings: &mut Settings| settings.requests.iter().all(|it| it.status == RequestStatus::Completed);
    let completed = server.state().change(completed);

    let shown = in_use::ask(readers, written.slot, &pin)?;
    let (signed, issued) = (shown.is_signed_by_its_key(), shown.is_issued_by(&authorities));
    demonstration.show("\nThe certificate in use:")?;
    demonstration.tell_fact("the card signs a new challenge with the new PIN", yes(!shown.signature.is_empty()))?;
    demonstration.tell_fact("its certificate's key verifies that", yes(signed))?;
    demonstration.tell_fact("the server's authority has issued it", yes(issued))?;

    let (has_new, has_old) = (card.pin_is(&pin), card.pin_is(FACTORY_PIN));
    let (has_key, has_factory_key) = (card.admin_key_is(&key), card.admin_key_is(&factory_key));
    let secrets = [vec![pin, CODE.to_vec(), key.to_vec(), factory_key.to_vec()], server.state().answers()].concat();
    let found = demonstration.secrets_in_shown(&secrets);
    demonstration.tell("\nWhat the stand-ins say of it:")?;
    demonstration.tell_fact("the card has the PIN that the server gave out", yes(has_new))?;
    demonstration.tell_fact("the card still takes its factory PIN", yes(has_old))?;
    demonstration.tell_fact("its admin key is the one that the server made", yes(has_key && !has_factory_key))?;
    demonstration.tell_fact("the request is completed", yes(completed))?;
    demonstration.tell_fact("the card was left authenticated", yes(card.authenticated()))?;
    demonstration.tell_rules_and_secrets(server, found)?;
    first_fault(&[
        (!signed, "the signature is not that of the certificate's key"),
        (!issued, "the certificate is not one of the server's authority"),
        (!has_new, "the card does not have the PIN"),
        (has_old, "the card still has its factory PIN"),
        (!has_key || has_factory_key, "the card does not have the admin key that the server made"),
        (!completed, "the request is not completed"),
        (card.authenticated(), "the card was left authenticated"),
        (!server.violations().is_empty(), "a request broke a rule of the API"),
        (found > 0, "a secret was printed"),
    ])?;
    demonstration.tell("\nThe card is enrolled, and its certificate is in use.")
}
