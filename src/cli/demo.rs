//! `pinwright demo`: a whole enrollment, or a PIN alone, on a virtual card and a stand-in for the server, over real TLS, in this process.

mod card;
mod enrollment;
mod in_use;
mod pin;

use std::io::Write as _;

use clap::Args;

use self::card::{CODE, DemoCard};
use super::context::CommandContext;
use super::error::CliError;
use super::inspect::{Detail, ReportFormat, report, tries_text};
use super::sim::Family;
use crate::config::Config;
use crate::os::files::private_options;
use crate::reader::fixture::Fixture;
use crate::sim::reader::VirtualReaders;
use crate::sim::server::{SeenRequest, Settings, StandIn};

const READER: &str = "Virtual Reader";

/// Which card, and how much of it.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The card's family: only GIDS and PIV cards get certificates.
    #[arg(long, value_enum, default_value_t)]
    family: Family,
    /// Set the PIN alone, as a request does that wants no certificate.
    #[arg(long)]
    pin_only: bool,
}

/// Runs the demonstration.
///
/// # Errors
/// [`CliError::StandIn`] and [`CliError::File`] where it can't be set up, those of the job, and [`CliError::Demo`] where the
/// card does not have what it should, the server saw a violation of its rules, or a secret was printed.
pub fn run(args: &DemoArgs, format: ReportFormat, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    match args.family {
        Family::Gids | Family::Piv if !args.pin_only => enrollment::run(args.family, format, context),
        Family::Gids | Family::Piv | Family::Iso7816 | Family::OpenPgp => pin::run(args.family, format, context),
    }
}

/// The card in its reader, the server, and what a job on them is configured with.
struct StandIns {
    card: DemoCard,
    readers: VirtualReaders,
    server: StandIn,
    config: Config,
    /// Gone with these.
    _folder: Folder,
}

impl StandIns {
    /// Starts them.
    fn start(card: DemoCard, settings: Settings) -> Result<Self, CliError> {
        let readers = card.readers(READER);
        let server = StandIn::start(settings).map_err(|error| CliError::StandIn(Box::new(error)))?;
        let folder = Folder::create(server.ca_pem())?;
        let config = configuration(&card, &server, &folder)?;
        Ok(Self { card, readers, server, config, _folder: folder })
    }
}

/// What the job is configured with: the server, a journal of its own, and what the card needs.
fn configuration(card: &DemoCard, server: &StandIn, folder: &Folder) -> Result<Config, CliError> {
    let text = format!(
        "[server]\nurl = {:?}\nca_file = {:?}\n[journal]\ndir = {:?}\n{}",
        server.base_url(),
        folder.ca().display().to_string(),
        folder.path.join("journal").display().to_string(),
        card.configuration(&folder.code())
    );
    Ok(Config::from_toml(&text)?)
}

/// What is shown of a demonstration, and where to.
struct Demonstration<'a, 'b> {
    json: bool,
    /// Everything that was shown of the job, to be searched for secrets.
    shown: String,
    context: &'a mut CommandContext<'b>,
}

impl<'a, 'b> Demonstration<'a, 'b> {
    /// Shows card and server as they are before the job, after a line that says what is shown.
    fn begin(
        title: &str,
        stand_ins: &StandIns,
        json: bool,
        context: &'a mut CommandContext<'b>,
    ) -> Result<Self, CliError> {
        let mut demonstration = Self { json, shown: String::new(), context };
        demonstration.show(&format!("{title}\n"))?;
        demonstration.show_before(stand_ins)?;
        Ok(demonstration)
    }
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

    /// Shows card and server as they are before the job.
    fn show_before(&mut self, stand_ins: &StandIns) -> Result<(), CliError> {
        let StandIns { readers, config, server, .. } = stand_ins;
        let before = report(readers, READER, &config.families, None, Detail::Line)?;
        let tries = tries_text(before.tries);
        self.show(&format!("card     {}, ID {}, {tries}", before.title, before.card.card_id))?;
        self.show(&format!("         ATR {}", before.card.atr))?;
        self.show(&format!("server   {} (TLS, an authority of its own)\n", server.base_url()))
    }

    /// Shows what the server was asked and what the card was sent.
    fn show_traffic(&mut self, server: &StandIn, recorded: &Fixture) -> Result<(), CliError> {
        self.show("What went to the server (answers marked * are secret):")?;
        for request in server.requests() {
            let secret = ["serverproposedpin", "authenticationresponse", "configuration/smartcards", "diversifiedkey"];
            let mark = if secret.iter().any(|part| request.path.contains(part)) { "*" } else { " " };
            let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
            let (status, path) = (request.status.unwrap_or(0), path(&request));
            self.show(&format!("  {status}{mark} {} {path}{query}", request.method))?;
        }
        self.show("\nWhat went to the card (** is a masked byte):")?;
        for exchange in &recorded.exchanges {
            self.show(&format!("  > {}\n  < {}", exchange.command, exchange.response))?;
        }
        Ok(())
    }

    /// Tells what a stand-in says of something: what is asked in at most 48 letters, and the answer.
    fn tell_fact(&mut self, asked: &str, answer: &str) -> Result<(), CliError> {
        self.tell(&format!("  {:<48} {answer}", format!("{asked}:")))
    }

    /// How many of these secrets are in what was shown.
    fn secrets_in_shown(&self, secrets: &[Vec<u8>]) -> usize {
        secrets.iter().filter(|secret| appears(&self.shown, secret)).count()
    }

    /// Tells of rules and secrets, which every demonstration looks for.
    fn tell_rules_and_secrets(&mut self, server: &StandIn, found: usize) -> Result<(), CliError> {
        self.tell_fact("requests that broke a rule of the API", &server.violations().len().to_string())?;
        self.tell_fact(&format!("secrets in the {:>4} bytes printed above", self.shown.len()), &found.to_string())
    }
}

/// The first of these that is so fails the demonstration.
fn first_fault(faults: &[(bool, &'static str)]) -> Result<(), CliError> {
    match faults.iter().find(|(is_so, _)| *is_so) {
        Some((_, message)) => Err(CliError::Demo(message)),
        None => Ok(()),
    }
}

/// A call's path below the API's address.
fn path(request: &SeenRequest) -> &str {
    request.path.rsplit("/api/v1.0/").next().unwrap_or_default()
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
