//! `pinwright sim`: the stand-ins as processes, for a real pcscd and for trials by hand.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Subcommand, ValueEnum};
use uuid::Uuid;

use super::context::CommandContext;
use super::error::CliError;
use crate::reader::pcsc::PcscReaders;
use crate::reader::{ReaderEntry, Readers as _};
use crate::sim::gids::{GidsCard, GidsSettings};
use crate::sim::iso7816::{Iso7816Card, Iso7816Settings};
use crate::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use crate::sim::piv::{PivCard, PivSettings};
use crate::sim::server::{PinMaker, Settings, StandIn, StandInError};
use crate::sim::vpcd::{VpcdHandle, VpcdOptions};

/// How often a stand-in asks whether it was interrupted or its reader is gone.
const POLL: Duration = Duration::from_millis(100);
/// How often a virtual card asks pcscd for something, and how long it waits for the answer.
const ASK_SERVICE: Duration = Duration::from_secs(20);
const SERVICE_PATIENCE: Duration = Duration::from_secs(5);

/// Which stand-in.
#[derive(Debug, Subcommand)]
pub enum SimCommand {
    /// Put a virtual card into a virtual reader of pcscd (vpcd). Admin or management key 0102030405060708 three times; PIN
    /// 12345678 (GIDS, ISO 7816-4) or 123456 (PIV, OpenPGP); PUK, PW3 and resetting code 12345678.
    Card {
        /// The card's family.
        #[arg(long, value_enum, default_value_t)]
        family: Family,
        /// The reader's port: 35963 for the first one of Debian's vpcd.
        #[arg(long, default_value_t = 35963)]
        port: u16,
        /// The host that pcscd runs on.
        #[arg(long, default_value = "localhost")]
        host: String,
        /// A card as from the factory of a GIDS card: not initialised.
        #[arg(long)]
        blank: bool,
        /// The card ID, as the server knows it. An OpenPGP card has only the first six bytes of it, over and over.
        #[arg(long, value_name = "UUID", default_value_t = default_card_id())]
        card_id: Uuid,
        /// A PIV card with Yubico's extensions: version, serial number, metadata, setting the management key.
        #[arg(long)]
        yubico: bool,
        /// How long each answer takes, as a real card's would: "300ms".
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "0s")]
        delay: Duration,
    },
    /// Serve the certificate server's API over TLS on this machine, knowing the card of `sim card`.
    Server {
        /// The port; any free one by default.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Where to write the certificate of its authority.
        #[arg(long, value_name = "FILE", required_unless_present = "config_out")]
        ca_out: Option<PathBuf>,
        /// Where to write a configuration that names this server, for `pinwright --config`. Without `--ca-out` the certificate
        /// is written beside it.
        #[arg(long, value_name = "FILE")]
        config_out: Option<PathBuf>,
        /// The card ID that it knows.
        #[arg(long, value_name = "UUID", default_value_t = default_card_id())]
        card_id: Uuid,
        /// Let the user supply the PIN (204).
        #[arg(long)]
        user_pin: bool,
    },
}

/// Families of virtual cards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Family {
    /// GIDS.
    #[default]
    Gids,
    /// ISO 7816-4, described by a profile.
    Iso7816,
    /// PIV, with extensions of a maker's own where `--yubico` asks for them.
    Piv,
    /// OpenPGP card.
    #[value(name = "openpgp")]
    OpenPgp,
}

/// The GUID of the virtual card's default ID.
fn default_card_id() -> Uuid {
    Uuid::from_bytes_le(GidsSettings::default().card_id)
}

/// Runs a stand-in until Ctrl-C. Its first line on standard output, `READY …`, says that it can be used.
///
/// # Errors
/// [`CliError::StandIn`] where it can't be started, [`CliError::File`] where the authority's certificate can't be written, and
/// [`CliError::Output`].
pub fn run(command: &SimCommand, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    match command {
        SimCommand::Card { family, yubico: true, .. } if *family != Family::Piv => {
            Err(failed(std::io::Error::other("--yubico is for cards of --family piv")))
        }
        SimCommand::Card { family, port, host, blank, card_id, yubico, delay } => {
            let options = VpcdOptions { host: host.clone(), delay: *delay, ..VpcdOptions::local(*port) };
            let card_id = if *family == Family::OpenPgp { openpgp_card_id(*card_id) } else { *card_id };
            let service = Awake::wake();
            let handle = insert(*family, *blank, *yubico, card_id, &options).map_err(failed)?;
            service.wait_for_card(&context.interrupted);
            context.print(&format!("READY card={card_id} port={port}"))?;
            wait(&context.interrupted, || service.keeps() && handle.is_inserted());
            drop(handle.remove());
            Ok(())
        }
        SimCommand::Server { port, ca_out, config_out, card_id, user_pin } => {
            let server = start(*port, *card_id, *user_pin).map_err(failed)?;
            let beside = config_out.as_ref().map(|config| config.with_extension("pem"));
            let mut ready = format!("READY url={}", server.base_url());
            if let Some(ca) = ca_out.clone().or(beside) {
                write(&ca, server.ca_pem())?;
                ready += &format!(" ca={}", ca.display());
                if let Some(config) = config_out {
                    write(config, &configuration(&server.base_url(), &ca)?)?;
                    ready += &format!(" config={}", config.display());
                }
            }
            context.print(&ready)?;
            wait(&context.interrupted, || true);
            Ok(())
        }
    }
}

/// The lines that make a pinwright on this machine talk to the stand-in.
fn configuration(url: &str, ca: &Path) -> Result<String, CliError> {
    // The configuration takes whole paths.
    let ca = std::fs::canonicalize(ca).map_err(|source| CliError::File { path: ca.to_owned(), source })?;
    let server = toml::Table::from_iter([
        ("url".to_owned(), toml::Value::from(url)),
        ("ca_file".to_owned(), toml::Value::from(ca.display().to_string())),
    ]);
    Ok(format!("# The stand-in of `sim server`, as long as it runs.\n[server]\n{server}"))
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text).map_err(|source| CliError::File { path: path.to_owned(), source })
}

/// A pcscd that stays. Debian's is started by whoever asks it first, and ends after a minute without anybody, and the virtual card
/// with it.
struct Awake {
    service: PcscReaders,
    asked: Cell<Instant>,
    /// The readers as they were before there was a card; `None` where pcscd can't be asked.
    before: Option<Vec<ReaderEntry>>,
}

impl Awake {
    fn wake() -> Self {
        let service = PcscReaders::new(SERVICE_PATIENCE);
        let before = service.list().map_err(|error| tracing::debug!("{error}")).ok();
        Self { service, asked: Cell::new(Instant::now()), before }
    }

    /// Waits until pcscd, which looks into a virtual reader now and then, has seen the card.
    fn wait_for_card(&self, interrupted: &Arc<AtomicBool>) {
        let Some(before) = &self.before else { return };
        let is_new = |entry: &ReaderEntry| entry.presence.atr.is_some() && !before.contains(entry);
        let deadline = Instant::now() + SERVICE_PATIENCE;
        wait(interrupted, || {
            Instant::now() < deadline && self.service.list().is_ok_and(|entries| !entries.iter().any(is_new))
        });
    }

    /// Asks again where it is time to. Always true: a service that is away takes the card with it, which is seen there.
    fn keeps(&self) -> bool {
        if self.asked.get().elapsed() >= ASK_SERVICE {
            if let Err(error) = self.service.list() {
                tracing::debug!("{error}");
            }
            self.asked.set(Instant::now());
        }
        true
    }
}

/// The ID that an OpenPGP card with the first six bytes of this one has.
fn openpgp_card_id(wanted: Uuid) -> Uuid {
    let wanted = wanted.to_bytes_le();
    let mut raw = [0; 16];
    for (byte, from) in raw.iter_mut().zip(wanted.iter().take(6).cycle()) {
        *byte = *from;
    }
    Uuid::from_bytes_le(raw)
}

fn insert(
    family: Family,
    blank: bool,
    yubico: bool,
    card_id: Uuid,
    options: &VpcdOptions,
) -> Result<VpcdHandle, crate::sim::vpcd::VpcdError> {
    let guid = card_id.into_bytes();
    let card_id = card_id.to_bytes_le();
    match family {
        Family::Gids if blank => VpcdHandle::insert(GidsCard::blank(), options),
        Family::Gids => {
            let settings = GidsSettings { card_id, ..GidsSettings::default() };
            VpcdHandle::insert(GidsCard::personalised(settings), options)
        }
        Family::Iso7816 => {
            let settings = Iso7816Settings { card_id: card_id.to_vec(), ..Iso7816Settings::default() };
            VpcdHandle::insert(Iso7816Card::new(settings), options)
        }
        Family::Piv => {
            let settings = PivSettings { guid: Some(guid), yubico, ..PivSettings::default() };
            VpcdHandle::insert(PivCard::new(settings), options)
        }
        Family::OpenPgp => {
            let [m, n, a, b, c, d, ..] = card_id;
            let settings = OpenPgpSettings {
                manufacturer: [m, n],
                serial: [a, b, c, d],
                resetting_code: Some(b"12345678".to_vec()),
                ..OpenPgpSettings::default()
            };
            VpcdHandle::insert(OpenPgpCard::new(settings), options)
        }
    }
}

fn start(port: u16, card_id: Uuid, user_pin: bool) -> Result<StandIn, StandInError> {
    let gids = GidsSettings::default();
    // The record has no ATR, so that it fits a card of any family.
    let mut settings = Settings::for_card(card_id, "", gids.admin_key);
    settings.port = port;
    if user_pin {
        settings.pin_maker = PinMaker::UserProvided;
    }
    StandIn::start(settings)
}

fn wait(interrupted: &Arc<AtomicBool>, alive: impl Fn() -> bool) {
    while !interrupted.load(Ordering::Relaxed) && alive() {
        thread::sleep(POLL);
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::StandIn(Box::new(error))
}
