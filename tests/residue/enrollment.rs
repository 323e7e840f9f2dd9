//! Whole enrollments: two admin keys, the PIN and the password for private keys, in a process that lives on.

use pinwright::sim::gids::GidsSettings;
use serde_json::json;
use uuid::Uuid;

use super::agent::Agent;
use super::canary_setup::{By, CanarySetup, Spelling};
use super::forms::{Canary, Kind};
use super::long_lived::{Series, assert_none};
use super::scan::Scanner;
use super::table::{Columns, RUNS, conclude};

/// The loudest run.
const LOUD: &[&str] = &["-vvv", "--json", "enroll", "--yes", "--template", "a039b4d0-5ce8-4eff-8651-181c6576fda3"];

/// So many in one process; in each a card makes a key pair.
const ENROLLMENTS: usize = 10;

fn setup() -> Option<CanarySetup> {
    Some(CanarySetup::new(super::pcscd()?, By::Server, |settings| {
        settings.templates[0].diversify_admin_key = true;
        settings.templates[0].keys.iter_mut().for_each(|keys| keys.hash = "SHA256".to_owned());
    }))
}

/// Enrolls as many new cards, each with secrets of its own.
fn enrollments(setup: &CanarySetup, agent: &mut Agent, enrollments: usize) -> Series {
    let mut canaries: Vec<Canary> = Vec::new();
    for enrollment in 0..enrollments {
        let mut armed = setup.arm([8, 6, 16, 8][enrollment % 4], Spelling::After(enrollment % 32));
        // The card has the ID of the one before it, of which nobody is to know any more.
        drop(std::fs::remove_dir_all(setup.installation.path("state")));
        let state = setup.installation.server.state();
        state.change(|settings| {
            settings.diversification_secret = std::array::from_fn(|_| fastrand::u8(..));
            settings.requests.clear();
            settings.certificates.clear();
            settings.cards.clear();
        });
        let card_id = Uuid::from_bytes_le(GidsSettings::default().card_id);
        armed.push(Canary::of(Kind::AdminKey, &state.diversified_key(card_id)));
        let ended = agent.job(setup, LOUD, json!({}));
        assert_eq!(ended, "0", "{}", std::fs::read_to_string(setup.installation.path("stderr")).unwrap());
        assert!(setup.has_pin(&armed[0]) && setup.has_been_sent_the_cookie());
        let password = state.passwords().pop().expect("certificates were asked for");
        armed.push(Canary::of(Kind::Password, password.as_bytes()));
        canaries.extend(armed);
        canaries.extend(setup.answers());
    }
    let mut hits = agent.scan(&canaries);
    hits.extend(setup.left_on_disk(&Scanner::new(&canaries)));
    Series { hits, canaries }
}

#[test]
fn an_enrollment_leaves_nothing_in_a_process_that_lives_on() {
    let Some(setup) = setup() else { return };
    let mut agent = Agent::new(&setup);
    let series = enrollments(&setup, &mut agent, 2);
    let of = |kind| series.canaries.iter().filter(|canary| canary.kind == kind).count();
    // The template's key and the card's; an answer for each of them, and one for the PIN.
    assert_eq!((of(Kind::Pin), of(Kind::Password), of(Kind::AdminKey), of(Kind::Answer)), (2, 2, 4, 6));
    assert_none(&series.hits);
    assert_none(&agent.core(&setup, &series.canaries).unwrap_or_default());
}

#[test]
#[ignore = "the long run: make residue"]
fn the_table_of_enrollments() {
    println!("Copies found after {ENROLLMENTS} enrollments, least to most of {RUNS} runs.\n");
    let table = Columns(Kind::OF_ENROLLMENTS);
    table.print();
    let row = table.row("`enroll`, all cards in one process", true, || {
        let setup = setup().expect("the long run needs root and a pcscd");
        let mut agent = Agent::new(&setup);
        enrollments(&setup, &mut agent, ENROLLMENTS)
    });
    conclude(&[row], &[]);
}
