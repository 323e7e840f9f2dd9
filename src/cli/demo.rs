//! `pinwright demo`: the whole job on a virtual card and a stand-in for the server, over real TLS, in this process.

mod card;

use std::io::Write as _;
use std::sync::Arc;

use clap::Args;

use self::card::{CODE, DemoCard, FACTORY_PIN};
use super::context::CommandContext;
use super::error::CliError;
use super::inspect::{Detail, report, tries_text};
use super::json::DoneObject;
use super::output;
use super::set_pin::{JobArgs, MeteredReaders, provision};
use super::sim::Family;
use crate::config::Config;
use crate::operation::Operation;
use crate::os::files::private_options;
use crate::reader::fixture::Fixture;
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

/// Runs the demonstration.
///
/// # Errors
/// [`CliError::StandIn`] and [`CliError::File`] where it can't be set up, those of the job, and [`CliError::Demo`] where the
/// card does not have the new PIN, the server saw a violation of its rules, or a secret was printed.
pub fn run(args: &DemoArgs, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
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

    let mut demonstration = Demonstration { json, shown: String::new(), context };
    demonstration.show(
        "The job on stand-ins: a virtual card in a virtual reader, and a certificate server on this machine.\n",
    )?;
    let before = report(&readers, READER, &config.families, None, Detail::Line)?;
    demonstration.show(&format!(
        "card     {}, ID {}, {}",
        before.title,
        before.card.card_id,
        tries_text(before.tries)
    ))?;
    demonstration.show(&format!("         ATR {}", before.card.atr))?;
    demonstration.show(&format!("server   {} (TLS, an authority of its own)\n", server.base_url()))?;

    let meter = Arc::new(Meter::default());
    let traffic = Traffic::new(&readers, Arc::clone(&meter));
    let recording = Recording::new(&traffic);
    let metered = MeteredReaders { readers: &recording, meter: &meter };
    let job = JobArgs { yes: true, ..JobArgs::default() };
    let (outcome, costs) = provision(&config, &job, metered, demonstration.context)?;
    demonstration.show_traffic(&server, &recording.fixture())?;
    demonstration.show(&format!("\n{}\n", output::outcome_line(&outcome, &costs).shown(false)))?;
    demonstration.check(&card, &server)?;
    if json { context.print_json(&DoneObject::new(Operation::Demo.schema(), &outcome, &costs)) } else { Ok(()) }
}

/// What is shown of a demonstration, and where to.
struct Demonstration<'a, 'b> {
    json: bool,
    /// Everything that was shown of the job, to be searched for secrets.
    shown: String,
    context: &'a mut CommandContext<'b>,
}

impl Demonstration<'_, '_> {
    /// Prints a line and keeps it for the search.
    fn show(&mut self, line: &str) -> Result<(), CliError> {
        self.shown.push_str(line);
        self.shown.push('\n');
        self.tell(line)
    }

    /// Prints a line: to standard error with `--json`, since standard output is for the object alone then.
    fn tell(&mut self, line: &str) -> Result<(), CliError> {
        if self.json {
            line.split('\n').for_each(|line| self.context.say(line));
            return Ok(());
        }
        self.context.print_lines(line)
    }

    /// Shows what the server was asked and what the card was sent.
    fn show_traffic(&mut self, server: &StandIn, recorded: &Fixture) -> Result<(), CliError> {
        self.show("What went to the server (answers marked * are secret):")?;
        for request in server.requests() {
            let secret = ["serverproposedpin", "authenticationresponse", "configuration/smartcards"];
            let mark = if secret.iter().any(|part| request.path.contains(part)) { "*" } else { " " };
            let path = request.path.rsplit("/api/v1.0/").next().unwrap_or_default();
            let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
            self.show(&format!("  {}{mark} {} {path}{query}", request.status.unwrap_or(0), request.method))?;
        }
        self.show("\nWhat went to the card (** is a masked byte):")?;
        for exchange in &recorded.exchanges {
            self.show(&format!("  > {}\n  < {}", exchange.command, exchange.response))?;
        }
        Ok(())
    }

    /// Asks both stand-ins what is true of card and server, and searches what was shown for secrets.
    fn check(&mut self, card: &DemoCard, server: &StandIn) -> Result<(), CliError> {
        let pin = server.state().last_pin().ok_or(CliError::Demo("the server has given out no PIN"))?;
        let answers = server.state().answers();
        let has_new = card.pin_is(&pin);
        let has_old = card.pin_is(FACTORY_PIN);
        let code = CODE.to_vec();
        let found = [&pin, &code].into_iter().chain(&answers).filter(|secret| appears(&self.shown, secret)).count();
        self.tell("What the stand-ins say of it:")?;
        self.tell(&format!("  the card has the PIN that the server gave out:   {}", yes(has_new)))?;
        self.tell(&format!("  the card still takes its factory PIN:            {}", yes(has_old)))?;
        self.tell(&format!("  the card was left authenticated:                 {}", yes(card.authenticated())))?;
        self.tell(&format!("  requests that broke a rule of the API:           {}", server.violations().len()))?;
        self.tell(&format!("  secrets in the {:>4} bytes printed above:          {found}", self.shown.len()))?;
        let faults = [
            (!has_new, "the card does not have the PIN"),
            (has_old, "the card still has its factory PIN"),
            (card.authenticated(), "the card was left authenticated"),
            (!server.violations().is_empty(), "a request broke a rule of the API"),
            (found > 0, "a secret was printed"),
        ];
        match faults.iter().find(|(fault, _)| *fault) {
            Some((_, message)) => Err(CliError::Demo(message)),
            None => self.tell("\nThe PIN is set and verified."),
        }
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
            .and_then(|()| private_options().write(true).create_new(true).open(folder.code())?.write_all(CODE))
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
