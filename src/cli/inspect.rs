//! `pinwright inspect`: one card in depth. Nothing is written and no try is spent.

use serde::Serialize;

use super::applications::{ApplicationObject, Applications, DetectionObject, doubted};
use super::context::CommandContext;
use super::error::CliError;
use super::json::Head;
use super::screen::{Line, Tone};
use super::select::{CardChoice, choose};
use crate::apdu::Channel;
use crate::card::family::{DetectError, Found};
use crate::card::{Family, PinCharacters, Proof, SecretReport, Tries};
use crate::config::Config;
use crate::job::card_report::look;
pub use crate::job::card_report::{CardReport, Detail, report, tries_text};
use crate::job::{Cause, Failure};
use crate::operation::Operation;
use crate::reader::Readers;

/// How the report is printed.
#[derive(Debug, Clone, Copy)]
pub struct ReportFormat {
    /// As one JSON object.
    pub json: bool,
    /// With what matters to few.
    pub verbose: bool,
}

/// Runs the command: reads the chosen card and prints the report. Spends no try.
///
/// # Errors
/// [`CliError::Choice`] where it is not clear which card is meant, [`CliError::Failure`] where the card can't be read, and
/// [`CliError::Output`].
pub fn run(
    config: &Config,
    choice: &CardChoice,
    format: ReportFormat,
    readers: &dyn Readers,
    context: &mut CommandContext<'_>,
) -> Result<(), CliError> {
    let chosen = choose(readers, &config.ignored_readers, choice, &config.families)?;
    let mut applications = None;
    let after = &mut |found: &Found<'_>, channel: &mut Channel<'_>| {
        applications = Some(Applications::of(found, channel));
    };
    let report = look(readers, &chosen.reader, (&config.families, config.journal.as_ref()), Detail::Full, after);
    let Some(applications) = applications else {
        if format.verbose
            && let Err(Failure { cause, .. }) = &report
            && let Cause::Detect(DetectError::Unknown { tried, .. }) = cause.as_ref()
        {
            doubted(tried).iter().for_each(|line| context.say(line));
        }
        return report.map(drop).map_err(CliError::from);
    };
    let report = report.inspect_err(|_| {
        // The person may have meant another application, and `card.prefer` can choose it.
        if let Some(others) = applications.others() {
            context.say(&format!("Also on this card: {others}"));
        }
    })?;
    if format.json {
        return context.print_json(&InspectObject::new(&report, &applications));
    }
    let mut lines = report_lines(&report, format.verbose);
    lines.extend(applications.lines(format.verbose));
    lines.iter().try_for_each(|line| context.print_line(line))
}

/// `pinwright.inspect/1`.
#[derive(Serialize)]
pub struct InspectObject<'a> {
    #[serde(flatten)]
    head: Head,
    reader: &'a str,
    atr: String,
    protocol: &'a str,
    family: Family,
    application: &'a str,
    card_id: String,
    card_id_other_order: String,
    card_id_raw: String,
    pin: PinObject,
    admin: AdminObject,
    secrets: Vec<SecretObject>,
    certificate_files: &'a [String],
    applications: Vec<ApplicationObject<'a>>,
    detection: DetectionObject<'a>,
}

#[derive(Serialize)]
struct PinObject {
    tries_left: Option<TriesObject>,
    min_length: usize,
    max_length: usize,
    characters: PinCharacters,
}

#[derive(Serialize)]
struct AdminObject {
    challenge: bool,
    /// Never told: asking would be an authentication, which the card may count.
    tries_left: Option<TriesObject>,
    /// Told only where the card says so, for the same reason.
    default_key: Option<bool>,
    sets_pin: bool,
}

/// A null means that the card does not tell.
#[derive(Serialize)]
struct SecretObject {
    name: &'static str,
    tries_left: Option<TriesObject>,
    factory: Option<bool>,
}

impl<'a> InspectObject<'a> {
    /// The report, and what applications are on the card.
    #[must_use]
    pub fn new(report: &'a CardReport, applications: &'a Applications) -> Self {
        let CardReport { card, limits, .. } = report;
        Self {
            head: Head::done(Operation::Inspect.schema()),
            reader: &card.reader,
            atr: card.atr.to_string(),
            protocol: &report.protocol,
            family: card.family,
            application: &report.title,
            card_id: card.card_id.to_string(),
            card_id_other_order: card.card_id.other_guid().to_string(),
            card_id_raw: card.card_id.raw_hex(),
            pin: PinObject {
                tries_left: TriesObject::of(report.tries),
                min_length: limits.min,
                max_length: limits.max,
                characters: limits.characters,
            },
            admin: AdminObject {
                challenge: report.admin_challenge,
                tries_left: None,
                default_key: secret(report, "management-key").and_then(|key| key.factory),
                sets_pin: card.family.takes(Proof::AdminAnswer) && report.admin_challenge,
            },
            secrets: report.secrets.iter().map(SecretObject::from).collect(),
            certificate_files: report.certificates.as_deref().unwrap_or_default(),
            applications: applications.objects(),
            detection: applications.cost(),
        }
    }
}

impl From<&SecretReport> for SecretObject {
    fn from(secret: &SecretReport) -> Self {
        Self { name: secret.name, tries_left: TriesObject::of(secret.tries), factory: secret.factory }
    }
}

/// Tries left, and how many there are where the card tells.
#[derive(Debug, Serialize)]
pub struct TriesObject {
    left: u8,
    max: Option<u8>,
}

impl TriesObject {
    /// `None` where the card does not tell.
    #[must_use]
    pub fn of(tries: Tries) -> Option<Self> {
        match tries {
            Tries::Left { left, max } => Some(Self { left, max }),
            Tries::Untold => None,
        }
    }
}

/// What tries are left say: well, or that there are few, or none.
#[must_use]
pub fn tries_tone(tries: Tries) -> Tone {
    match tries {
        Tries::Left { left: 0, .. } => Tone::Bad,
        Tries::Left { left: 1, .. } => Tone::Waiting,
        Tries::Left { .. } => Tone::Good,
        Tries::Untold => Tone::Plain,
    }
}

fn secret<'a>(report: &'a CardReport, name: &str) -> Option<&'a SecretReport> {
    report.secrets.iter().find(|secret| secret.name == name)
}

/// What somebody wants to know who has the card in hand; with `verbose` also how it is told from others, and what can't be known.
fn report_lines(report: &CardReport, verbose: bool) -> Vec<Line> {
    let characters = match report.limits.characters {
        PinCharacters::Ascii => "characters",
        PinCharacters::Digits => "digits",
    };
    let CardReport { card, limits, .. } = report;
    let row = |label, value: String| Line::labelled(label, Tone::Plain, value);
    let mut lines = vec![row("reader", format!("{:?}", card.reader)), row("card", report.title.clone())];
    lines.push(row("card ID", card.card_id.to_string()));
    if verbose {
        lines.extend([
            row("  other order", card.card_id.other_guid().to_string()),
            row("  on the card", card.card_id.raw_hex()),
            row("ATR", card.atr.to_string()),
            row("protocol", report.protocol.clone()),
        ]);
    }
    lines.push(
        Line::labelled("user PIN", tries_tone(report.tries), tries_text(report.tries))
            .with(Tone::Plain, format!("; {} to {} {characters}", limits.min, limits.max)),
    );
    lines.extend(report.secrets.iter().filter_map(|secret| secret_line(report, secret)));
    lines.push(row("administrator", administrator(report, verbose).to_owned()));
    lines.push(row(
        "certificates",
        match report.certificates.as_deref() {
            None => "no table of them on such a card".to_owned(),
            Some([]) => "none".to_owned(),
            Some(names) => names.join(", "),
        },
    ));
    lines.extend(factory_lines(report, verbose));
    lines
}

fn administrator(report: &CardReport, verbose: bool) -> &'static str {
    let sets_pin = report.card.family.takes(Proof::AdminAnswer);
    match (report.admin_challenge, sets_pin, secret(report, "admin-pin")) {
        (true, true, _) if verbose => {
            "answers a challenge; tries left and whether the key is a factory key can't be asked without risking a try"
        }
        (true, true, _) => "answers a challenge",
        (true, false, _) => "answers a challenge (management key), which gives no right to the PIN",
        (false, _, Some(_)) => "has a PIN of his own (PW3)",
        (false, _, None) => "none",
    }
}

/// The line of one secret. The user PIN has a line already, and the management key is told of as the administrator's.
fn secret_line(report: &CardReport, secret: &SecretReport) -> Option<Line> {
    let label = match secret.name {
        "puk" => "PUK",
        "admin-pin" => "PW3",
        "resetting-code" => "resetting code",
        "application-pin" => return Some(other_pin("PIV PIN", "Global PIN", secret)),
        "global-pin" => return Some(other_pin("Global PIN", "PIV PIN", secret)),
        _ => return None,
    };
    let tells_of_others = || report.secrets.iter().any(|other| other.tries != Tries::Untold || other.factory.is_some());
    let set_pin = Operation::SetPin.name();
    let tries = match secret.tries {
        Tries::Untold if tells_of_others() => {
            format!("tries left not told, although others' are: `{set_pin}` risks none")
        }
        Tries::Untold => format!("tries left can't be asked: `{set_pin}` risks one, and no second one"),
        Tries::Left { left: 0, .. } if secret.name == "resetting-code" => "not set, or blocked".to_owned(),
        tries => tries_text(tries),
    };
    let tone = if label == "resetting code" { Tone::Plain } else { tries_tone(secret.tries) };
    Some(Line::labelled(label, tone, tries))
}

/// The PIN of a PIV card that is not the primary one.
fn other_pin(label: &str, primary: &str, secret: &SecretReport) -> Line {
    Line::labelled(label, tries_tone(secret.tries), tries_text(secret.tries))
        .with(Tone::Plain, format!("; the card prefers its {primary}, which is the user PIN here"))
}

/// The secrets that the card says are still the factory's, and with `verbose` those of which only a try would tell.
fn factory_lines(report: &CardReport, verbose: bool) -> Vec<Line> {
    let named = |known: Option<bool>| {
        let names = report.secrets.iter().filter(|secret| secret.factory == known).filter_map(|secret| {
            Some(match secret.name {
                "pin" => "PIN",
                "puk" => "PUK",
                "management-key" => "management key",
                "admin-pin" => "PW3",
                "application-pin" => "PIV PIN",
                "global-pin" => "Global PIN",
                // A card leaves the factory without a resetting code (OpenPGP card 3.4 §4.3).
                "resetting-code" => return None,
                other => other,
            })
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let (factory, unknown) = (named(Some(true)), named(None));
    let known =
        (!factory.is_empty()).then(|| Line::labelled("warning", Tone::Bad, format!("still the factory's: {factory}")));
    let unknown = (verbose && !unknown.is_empty()).then(|| {
        let told = format!("only a try would tell whether it is the factory's: {unknown}");
        Line::labelled("factory", Tone::Plain, told)
    });
    known.into_iter().chain(unknown).collect()
}

#[cfg(test)]
mod tests;
