//! A PIN alone: what a request does that wants no certificate.

use std::sync::Arc;

use super::card::{CODE, DemoCard, FACTORY_PIN};
use super::{Demonstration, StandIns, first_fault, yes};
use crate::cli::context::CommandContext;
use crate::cli::error::CliError;
use crate::cli::inspect::ReportFormat;
use crate::cli::json::DoneObject;
use crate::cli::output;
use crate::cli::set_pin::{JobArgs, MeteredReaders, provision};
use crate::cli::sim::Family;
use crate::operation::Operation;
use crate::reader::record::Recording;
use crate::reader::traffic::{Meter, Traffic};
use crate::sim::gids::GidsSettings;
use crate::sim::server::{Settings, StandIn};

/// Sets the PIN of a card for which an approved request is there.
pub(super) fn run(family: Family, format: ReportFormat, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let card = DemoCard::new(family);
    let settings = Settings::for_card(card.card_id, "", GidsSettings::default().admin_key);
    let stand_ins = StandIns::start(card, settings)?;
    let title = "The job on stand-ins: a virtual card in a virtual reader, and a certificate server on this machine.";
    let mut demonstration = Demonstration::begin(title, &stand_ins, format.json, context)?;
    let StandIns { card, readers, server, config, .. } = &stand_ins;

    let meter = Arc::new(Meter::default());
    let traffic = Traffic::new(readers, Arc::clone(&meter));
    let recording = Recording::new(&traffic);
    let metered = MeteredReaders { readers: &recording, meter: &meter };
    let job = JobArgs { yes: true, ..JobArgs::default() };
    let (outcome, costs) = provision(config, &job, metered, demonstration.context)?;
    demonstration.show_traffic(server, &recording.fixture())?;
    demonstration.show(&format!("\n{}\n", output::outcome_line(&outcome, &costs).shown(false)))?;
    check(&mut demonstration, card, server)?;
    if format.json { context.print_json(&DoneObject::new(Operation::Demo.schema(), &outcome, &costs)) } else { Ok(()) }
}

/// Asks both stand-ins what is true of card and server, and searches what was shown for secrets.
fn check(demonstration: &mut Demonstration<'_, '_>, card: &DemoCard, server: &StandIn) -> Result<(), CliError> {
    let pin = server.state().last_pin().ok_or(CliError::Demo("the server has given out no PIN"))?;
    let (has_new, has_old) = (card.pin_is(&pin), card.pin_is(FACTORY_PIN));
    let secrets = [vec![pin, CODE.to_vec()], server.state().answers()].concat();
    let found = demonstration.secrets_in_shown(&secrets);
    demonstration.tell("What the stand-ins say of it:")?;
    demonstration.tell_fact("the card has the PIN that the server gave out", yes(has_new))?;
    demonstration.tell_fact("the card still takes its factory PIN", yes(has_old))?;
    demonstration.tell_fact("the card was left authenticated", yes(card.authenticated()))?;
    demonstration.tell_rules_and_secrets(server, found)?;
    first_fault(&[
        (!has_new, "the card does not have the PIN"),
        (has_old, "the card still has its factory PIN"),
        (card.authenticated(), "the card was left authenticated"),
        (!server.violations().is_empty(), "a request broke a rule of the API"),
        (found > 0, "a secret was printed"),
    ])?;
    demonstration.tell("\nThe PIN is set and verified.")
}
