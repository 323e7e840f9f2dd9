//! `pinwright demo`: the whole job on a virtual card and a stand-in for the server, over real TLS, in this process.

mod card;

use std::sync::Arc;

use clap::Args;

use self::card::{CODE, DemoCard, FACTORY_PIN};
use super::enroll::{Desktop, JobArgs, provision};
use super::error::CliError;
use super::inspect::{Detail, report, tries_text};
use super::output;
use super::select::Chosen;
use super::sim::Family;
use super::world::World;
use crate::config::Config;
use crate::reader::record::Recording;
use crate::reader::traffic::{Meter, Traffic};
use crate::sim::gids::GidsSettings;
use crate::sim::server::{Settings, StandIn};

const READER: &str = "Virtual Reader";

/// Which card.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The card's family.
    #[arg(long, value_enum, default_value_t)]
    family: Family,
}

/// Runs the demonstration; it fails if the card does not have the new PIN, or if a secret was printed.
///
/// # Errors
/// A stand-in can't be started, the job failed, or what it shows is not true.
pub fn run(args: &DemoArgs, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let card = DemoCard::new(args.family);
    let readers = card.readers(READER);
    let settings = Settings::for_card(card.card_id, "", GidsSettings::default().admin_key);
    let server = StandIn::start(settings).map_err(|error| CliError::StandIn(Box::new(error)))?;
    let folder = Folder::create(server.ca_pem())?;
    let config = Config::from_toml(&format!(
        "[server]\nurl = {:?}\nca_file = {:?}\n[journal]\ndir = {:?}\n{}",
        server.base_url(),
        folder.ca().display().to_string(),
        folder.path.join("journal").display().to_string(),
        card.configuration(&folder.code())
    ))?;

    let mut shown = String::new();
    let mut show = |world: &mut World<'_>, line: &str| {
        shown.push_str(line);
        shown.push('\n');
        tell(world, json, line)
    };
    show(
        world,
        "The job on stand-ins: a virtual card in a virtual reader, and a certificate server on this machine.\n",
    )?;
    let before =
        report(&readers, &Chosen { reader: READER.to_owned(), card_id: None }, &config.families, Detail::Line)?;
    show(world, &format!("card     {}, ID {}, {}", before.application, before.card_id, tries_text(before.tries)))?;
    show(world, &format!("         ATR {}", before.atr))?;
    show(world, &format!("server   {} (TLS, an authority of its own)\n", server.base_url()))?;

    let meter = Arc::new(Meter::default());
    let traffic = Traffic::new(&readers, Arc::clone(&meter));
    let recording = Recording::new(&traffic);
    let desktop = Desktop { readers: &recording, meter: &meter };
    let (outcome, costs) = provision(&config, &JobArgs { yes: true, ..JobArgs::default() }, desktop, world)?;
    show(world, "What went to the server (answers marked * are secret):")?;
    for request in server.requests() {
        let secret = ["serverproposedpin", "authenticationresponse", "configuration/smartcards"];
        let mark = if secret.iter().any(|part| request.path.contains(part)) { "*" } else { " " };
        let path = request.path.rsplit("/api/v1.0/").next().unwrap_or_default();
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        show(world, &format!("  {}{mark} {} {path}{query}", request.status.unwrap_or(0), request.method))?;
    }
    show(world, "\nWhat went to the card (** is a masked byte):")?;
    for exchange in &recording.fixture().exchanges {
        show(world, &format!("  > {}\n  < {}", exchange.command, exchange.response))?;
    }
    show(world, &format!("\n{}\n", output::outcome_text(&outcome, &costs)))?;
    check(&card, &server, &shown, json, world)?;
    if json { world.print_json(&output::outcome_json(&outcome, &costs)) } else { Ok(()) }
}

/// With `--json` standard output is for the object alone.
fn tell(world: &mut World<'_>, json: bool, line: &str) -> Result<(), CliError> {
    if json {
        world.say(line);
        return Ok(());
    }
    world.print(line)
}

/// Asks both stand-ins what is true, and searches what was printed.
fn check(card: &DemoCard, server: &StandIn, shown: &str, json: bool, world: &mut World<'_>) -> Result<(), CliError> {
    let pin = server.state().last_pin().ok_or(CliError::Demo("the server has given out no PIN"))?;
    let answers = server.state().answers();
    let has_new = card.pin_is(&pin);
    let has_old = card.pin_is(FACTORY_PIN);
    let code = CODE.to_vec();
    let found = [&pin, &code].into_iter().chain(&answers).filter(|secret| appears(shown, secret)).count();
    tell(world, json, "What the stand-ins say of it:")?;
    tell(world, json, &format!("  the card has the PIN that the server gave out:   {}", yes(has_new)))?;
    tell(world, json, &format!("  the card still takes its factory PIN:            {}", yes(has_old)))?;
    tell(world, json, &format!("  the card was left authenticated:                 {}", yes(card.authenticated())))?;
    tell(world, json, &format!("  requests that broke a rule of the API:           {}", server.violations().len()))?;
    tell(world, json, &format!("  secrets in the {:>4} bytes printed above:          {found}", shown.len()))?;
    let faults = [
        (!has_new, "the card does not have the PIN"),
        (has_old, "the card still has its factory PIN"),
        (card.authenticated(), "the card was left authenticated"),
        (!server.violations().is_empty(), "a request broke a rule of the API"),
        (found > 0, "a secret was printed"),
    ];
    match faults.iter().find(|(fault, _)| *fault) {
        Some((_, message)) => Err(CliError::Demo(message)),
        None => tell(world, json, "\nThe PIN is set and verified."),
    }
}

fn appears(shown: &str, secret: &[u8]) -> bool {
    use base64::Engine;
    let hexed = hex::encode(secret);
    let forms = [
        String::from_utf8_lossy(secret).into_owned(),
        hexed.to_uppercase(),
        hexed,
        base64::engine::general_purpose::STANDARD.encode(secret),
    ];
    forms.iter().any(|form| !form.is_empty() && shown.contains(form.as_str()))
}

fn yes(fact: bool) -> &'static str {
    if fact { "yes" } else { "no" }
}

/// A folder for the authority's certificate and the journal, gone when the demonstration is over.
struct Folder {
    path: std::path::PathBuf,
}

impl Folder {
    fn create(ca: &str) -> Result<Self, CliError> {
        let name = format!("pinwright-demo-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let folder = Self { path: std::env::temp_dir().join(name) };
        std::fs::create_dir(&folder.path)
            .and_then(|()| std::fs::write(folder.ca(), ca))
            .and_then(|()| std::fs::write(folder.code(), CODE))
            .map_err(|source| CliError::File { path: folder.path.clone(), source })?;
        Ok(folder)
    }

    fn ca(&self) -> std::path::PathBuf {
        self.path.join("ca.pem")
    }

    /// The virtual card's PUK or PW3, known to everybody.
    fn code(&self) -> std::path::PathBuf {
        self.path.join("code")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.path));
    }
}
