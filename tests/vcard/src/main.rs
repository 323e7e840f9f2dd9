//! Nitrokey's PIV and OpenPGP cards as cards of a virtual reader: independent judges of what pinwright believes of such cards.
//!
//! ```text
//! pcscd ── vpcd driver ── TCP ── vpcd.rs ── apdu.rs ── cards.rs ── piv-authenticator | opcard
//!                                                                  └── host.rs, backends.rs: trussed, in RAM
//! ```
//!
//! Each process is one factory-new card. It says `READY` once the reader has it, and ends with 0 when the reader is gone.

mod apdu;
mod backends;
mod cards;
mod host;
mod log;
mod vpcd;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::apdu::Processor;
use crate::cards::{OpenPgp, Piv};
use crate::log::Log;

#[derive(Parser)]
#[command(about = "A virtual PIV or OpenPGP card for one reader of vpcd")]
struct Arguments {
    #[command(subcommand)]
    card: CardKind,
}

#[derive(Subcommand)]
enum CardKind {
    /// piv-authenticator: PIN 123456, PUK 12345678, management key 0102030405060708 three times (3DES)
    Piv {
        /// The GUID in the CHUID; random without it
        #[arg(long, value_name = "HEX32", value_parser = bytes::<16>)]
        guid: Option<[u8; 16]>,
        /// For Yubico's tools: also take a SELECT with 5 to 8 bytes of the AID, and claim a firmware without metadata
        #[arg(long)]
        lenient: bool,
        #[command(flatten)]
        common: Common,
    },
    /// opcard: PW1 123456, PW3 12345678, no resetting code
    Openpgp {
        /// The manufacturer in the AID
        #[arg(long, value_name = "HEX4", default_value = "0000", value_parser = bytes::<2>)]
        vendor: [u8; 2],
        /// The serial number in the AID
        #[arg(long, value_name = "HEX8", default_value = "00000000", value_parser = bytes::<4>)]
        serial: [u8; 4],
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
struct Common {
    /// Where the reader waits for its card, on this machine
    #[arg(long)]
    port: u16,
    /// Makes keys, challenges and GUID repeatable
    #[arg(long)]
    seed: Option<u64>,
    /// The answer to reset
    #[arg(long, value_name = "HEX", default_value = "3B951381018073FF01000B", value_parser = atr)]
    atr: Atr,
    /// Writes each APDU, each reset and each loss of power into this file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// clap takes a plain `Vec` for an option that may come several times.
#[derive(Clone)]
struct Atr(Vec<u8>);

fn main() -> ExitCode {
    match run(Arguments::parse().card) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vcard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(kind: CardKind) -> io::Result<()> {
    match kind {
        CardKind::Piv { guid, lenient, common } => {
            host::run(common.seed, "piv", |client| serve(&common, Piv::new(client, guid, lenient)))
        }
        CardKind::Openpgp { vendor, serial, common } => {
            host::run(common.seed, "opcard", |client| serve(&common, OpenPgp::new(client, vendor, serial)))
        }
    }
}

fn serve(common: &Common, card: impl cards::Application) -> io::Result<()> {
    let log = common.log.as_deref().map(Log::create).transpose()?.unwrap_or_default();
    vpcd::serve(common.port, &common.atr.0, &mut Processor::new(card), log)
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], hex::FromHexError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)?;
    Ok(bytes)
}

fn atr(text: &str) -> Result<Atr, hex::FromHexError> {
    hex::decode(text).map(Atr)
}
