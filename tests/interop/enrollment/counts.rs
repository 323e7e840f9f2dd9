//! Commands and time of admin key, key pair and certificate beside OpenSC's own sequence, on one GIDS card in one run, and beside the
//! hand-written enrollment that was measured on GidsApplet. `make bench` prints the table.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::keys::{CardKey, ReadyKeys};
use support::openssl::openssl;
use support::pcscd::Pcscd;

use super::cards::gids_in;
use super::site::{self, Keys};
use crate::judge::{command, run};

/// About how long a contact card takes for a command without public-key cryptography.
const CARD_DELAY: Duration = Duration::from_millis(10);

/// The enrollment by hand: identity, PIN, key pair, signature of the request, certificate, with nothing read back.
const BY_HAND: &str = include_str!("../../../fixtures/apdu/gids/enroll-ok.apdu");

/// What something took.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    apdus: usize,
    time: Duration,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.apdus += other.apdus;
        self.time += other.time;
    }
}

/// The stages of a run, and how often it looked at the card between them, by its log.
#[derive(Debug, Default)]
struct Ours {
    admin_key: Cost,
    pin: Cost,
    key_pair: Cost,
    certificate: Cost,
    looks: Cost,
    /// The commands of the stages that make the key pair and write the certificate.
    written: [Vec<String>; 2],
}

/// How many commands lie between the PIN and the last one that writes or signs: neither whose card it is, nor what is read back.
fn without_surroundings(commands: &[String]) -> usize {
    let pin = commands.iter().position(|command| command.starts_with("0020")).expect("a PIN");
    let is_last = |command: &String| ["DB", "2A"].contains(&&command[2..4]);
    commands.iter().rposition(is_last).expect("a command that writes") - pin
}

impl Ours {
    /// A stage lasts from the line that names it to the one that tells that server and card are looked at again.
    fn read(log: &str) -> Self {
        let mut ours = Self::default();
        let mut stage = String::new();
        let mut since = None;
        for line in log.lines() {
            let Some(now) = line.split(' ').next().and_then(|time| time.parse::<Timestamp>().ok()) else { continue };
            let command = line.split_once("pinwright::apdu: > ").map(|(_, command)| command.to_owned());
            let cost = ours.cost(&stage);
            cost.apdus += usize::from(command.is_some());
            cost.time += since.map_or(Duration::ZERO, |since| Duration::try_from(now - since).unwrap_or_default());
            since = Some(now);
            let writing = ["Generate", "Write"].iter().position(|writing| stage.starts_with(writing));
            if let (Some(at), Some(command)) = (writing, command) {
                ours.written[at].push(command);
            }
            if let Some((_, next)) = line.split_once("next stage=") {
                stage = next.to_owned();
            } else if line.contains("look at the places") {
                stage = "look".to_owned();
            }
        }
        ours
    }

    fn cost(&mut self, stage: &str) -> &mut Cost {
        match stage.split('(').next().unwrap_or_default() {
            "ReplaceAdminKey" => &mut self.admin_key,
            "SetPin" => &mut self.pin,
            "Generate" => &mut self.key_pair,
            "Write" => &mut self.certificate,
            _ => &mut self.looks,
        }
    }
}

#[test]
fn admin_key_key_pair_and_certificate_take_fewer_commands_than_opensc() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    // How long the search for primes takes is nobody's merit.
    let keys = [CardKey::rsa_2048().unwrap(), CardKey::rsa_2048().unwrap()];
    let settings = GidsSettings { ready_keys: ReadyKeys::new(&keys), ..GidsSettings::default() };
    let card = SharedCard::new(GidsCard::personalised(settings));
    let inserted = gids_in(&card, pcscd.insert_slow(0, card.clone(), CARD_DELAY));
    let enrolled = site::enroll_with(&pcscd, &inserted, Keys::RSA_2048, &["-vvv"]);
    let ours = Ours::read(&enrolled.log);

    let issued = enrolled.path("issued.der");
    openssl(&["x509", "-in", &enrolled.path("issued.pem"), "-outform", "DER", "-out", &issued]);
    let theirs = |tool: &str, arguments: &[&str]| {
        let before = card.with(|card| card.commands_seen());
        let start = Instant::now();
        run(command(&pcscd, tool).args(arguments).env("PIN", &enrolled.pin)).accepted();
        Cost { apdus: card.with(|card| card.commands_seen()) - before, time: start.elapsed() }
    };
    let login = ["--slot-index", "0", "--login", "--pin", "env:PIN"];
    let generate = ["--keypairgen", "--key-type", "rsa:2048", "--label", "theirs"];
    let key_pair = theirs("pkcs11-tool", &[&login[..], &generate].concat());
    let write = ["--write-object", &issued, "--type", "cert", "--id", "01"];
    let certificate = theirs("pkcs11-tool", &[&login[..], &write].concat());
    let key = hex::encode(enrolled.installation.server.state().diversified_key(inserted.card_id));
    let change = ["--reader", "0", "--change-admin-key", "--admin-key", &key, "--new-admin-key"];
    let admin_key = theirs("gids-tool", &[&change[..], &[support::opensc::ADMIN_KEY]].concat());

    println!("{:<42} {:>20} {:>20}", "GIDS card with 10 ms per command", "pinwright", "OpenSC");
    let (mut our_sum, mut their_sum) = (Cost::default(), Cost::default());
    for (what, ours, theirs) in [
        ("admin key, proved", ours.admin_key, admin_key),
        ("key pair, and the request's signature", ours.key_pair, key_pair),
        ("certificate, read back", ours.certificate, certificate),
    ] {
        print_row(what, ours, theirs);
        assert!(ours.apdus < theirs.apdus, "{what}: {ours:?}, {theirs:?}");
        our_sum += ours;
        their_sum += theirs;
    }
    our_sum += ours.looks;
    print_row("with all looks between the stages", our_sum, their_sum);
    assert!(our_sum.apdus < their_sum.apdus, "{our_sum:?}, {their_sum:?}");

    let by_hand: Vec<String> = BY_HAND.lines().filter_map(|line| line.strip_prefix("> ").map(str::to_owned)).collect();
    let written: usize = ours.written.iter().map(|commands| without_surroundings(commands)).sum();
    print_ratio("key pair, request, certificate alone", written, without_surroundings(&by_hand));
    assert!(5 * written <= 6 * without_surroundings(&by_hand), "more than 1.2 times: {:?}", ours.written);
    let stages = ours.pin.apdus + ours.key_pair.apdus + ours.certificate.apdus;
    print_ratio("with the PIN, whose card it is, and what is read back", stages, by_hand.len());
    print_ratio("with all looks between the stages", stages + ours.looks.apdus, by_hand.len());
}

fn print_ratio(what: &str, ours: usize, by_hand: usize) {
    println!("{what}: {ours} commands, by hand {by_hand}: {:.2} times", ours as f64 / by_hand as f64);
}

fn print_row(what: &str, ours: Cost, theirs: Cost) {
    let cell = |cost: Cost| format!("{} in {:.0} ms", cost.apdus, cost.time.as_secs_f64() * 1000.0);
    let ratio = ours.apdus as f64 / theirs.apdus as f64;
    println!("{what:<42} {:>20} {:>20}   {ratio:.2}", cell(ours), cell(theirs));
}
