//! A job with a slow card and a server far away, against what the two take one after the other.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::server::Settings;
use serde_json::{Value, json};
use support::installation::{Installation, server_for};
use support::pcscd::Pcscd;
use support::relay::{Relay, port_of};

use super::{Spread, millis};

/// What a command to the card takes.
const COMMAND: Duration = Duration::from_millis(20);

/// What a round trip to the server takes.
const ROUND_TRIP: Duration = Duration::from_millis(40);

/// The most that wall time is to be of card time and server time together, on a machine that has nothing else to do.
const LIMIT: f64 = 0.80;

/// Whole processes, each with a connection of its own.
pub struct Overlap {
    /// From start to end of the process, with both ends slow.
    wall_ms: Vec<f64>,
    /// The card's part of that.
    card_ms: Vec<f64>,
    /// The server's part of the same job with a card that answers at once: there is nothing to do meanwhile.
    server_ms: Vec<f64>,
}

/// Measures over HTTP/2 with a bearer token.
pub fn measure(pcscd: &Pcscd, rounds: usize) -> Overlap {
    let settings = GidsSettings::default();
    let card = SharedCard::new(GidsCard::personalised(settings.clone()));
    let server = Settings { token: Some("bench".to_owned()), ..server_for(&settings) };
    let installation = Installation::new(server);
    let url = installation.server.base_url();
    let relay = Relay::start(port_of(&url), ROUND_TRIP);
    fs::write(installation.path("token"), "bench\n").expect("the token is written");
    let lines = format!(
        "[server]\nurl = \"{}\"\nca_file = {:?}\nauth = \"bearer\"\ntoken_file = {:?}\n",
        relay.url(&url),
        installation.path("ca.pem"),
        installation.path("token")
    );
    fs::write(installation.path("config.toml"), lines).expect("the configuration is written");
    let job = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinwright"));
        installation.furnish(&mut command, &pcscd.socket());
        let start = Instant::now();
        let output = command.args(["--json", "set-pin", "--yes", "--again"]).output().expect("the program runs");
        let wall = millis(start.elapsed());
        assert!(output.status.success(), "{output:?}");
        let result: Value = serde_json::from_slice(&output.stdout).expect("set-pin prints JSON");
        let elapsed = |part: &str| result["elapsed_ms"][part].as_f64().expect("the times are numbers");
        assert_eq!((result["apdus"].as_u64(), result["http_requests"].as_u64()), (Some(9), Some(5)));
        (wall, elapsed("card"), elapsed("server"))
    };
    // The first job of each fills caches and does not count.
    let instant = pcscd.insert(0, card.clone());
    let server_ms = (0..=rounds).map(|_| job().2).skip(1).collect();
    drop(instant);
    pcscd.wait_for_card(0, false);
    let slow = pcscd.insert_slow(0, card, COMMAND);
    let (wall_ms, card_ms) = (0..=rounds).map(|_| job()).skip(1).map(|(wall, card, _)| (wall, card)).unzip();
    drop(slow);
    pcscd.wait_for_card(0, false);
    Overlap { wall_ms, card_ms, server_ms }
}

impl Overlap {
    /// Wall time of all that card and server take, job by job.
    fn ratio(&self) -> Spread {
        let server = Spread::of(self.server_ms.iter().copied()).median;
        Spread::of(self.wall_ms.iter().zip(&self.card_ms).map(|(wall, card)| wall / (card + server)))
    }

    pub fn print(&self) {
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).text(1);
        println!(
            "\na job with 20 ms per APDU and 40 ms to the server, HTTP/2 and a bearer token, connection not yet made"
        );
        println!("  card, 9 APDUs                {} ms", spread(&self.card_ms));
        println!("  server, with an instant card {} ms", spread(&self.server_ms));
        println!("  the whole process            {} ms", spread(&self.wall_ms));
        println!("  of card and server together  {} (at most {LIMIT:.2})", self.ratio().text(2));
    }

    pub fn json(&self) -> Value {
        json!({
            "wall_ms": self.wall_ms,
            "card_ms": self.card_ms,
            "server_ms": self.server_ms,
            "ratio": self.ratio().json(),
        })
    }
}
