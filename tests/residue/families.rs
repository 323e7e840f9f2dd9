//! Every family of cards, and every way to the right to set a PIN: each has commands and secrets of its own.

use super::agent::Agent;
use super::canary_setup::{By, CanarySetup};
use super::daemon::{self, Daemon};
use super::forms::{Canary, Kind};
use super::long_lived::{self, assert_none};

/// Jobs of each way: lengths and spellings that vary are the business of others.
const JOBS: usize = 2;

/// Everything that this way of proving the right has in hand was among what was looked for.
#[track_caller]
fn assert_looked_for(by: By, canaries: &[Canary], jobs: usize) {
    let count = |kind: Kind| canaries.iter().filter(|canary| canary.kind == kind).count();
    for kind in [Kind::Pin, Kind::Token].into_iter().chain(by.proof()) {
        assert_eq!(count(kind), jobs, "{by:?}: {}", kind.name());
    }
    assert_eq!(count(Kind::Answer), if by.answers() { jobs } else { 0 }, "{by:?}");
}

#[test]
fn no_family_and_no_authority_leaves_anything_in_a_process_that_lives_on() {
    for by in By::ALL {
        let Some(pcscd) = super::pcscd() else { return };
        let setup = CanarySetup::new(pcscd, by, |_| {});
        let mut agent = Agent::new(&setup);
        let series = long_lived::jobs(&setup, &mut agent, JOBS);
        assert_looked_for(by, &series.canaries, JOBS);
        assert_none(&series.hits);
        assert_none(&setup.left_in_pcscd(&series.canaries));
    }
}

#[test]
fn no_family_leaves_anything_in_the_agent() {
    // The long run has them all.
    for by in [By::Mutual, By::CurrentPin, By::PivPuk, By::OpenPgpResettingCode, By::IsoPuk] {
        let Some(pcscd) = super::pcscd() else { return };
        let setup = daemon::scene_without_card(pcscd, by);
        let agent = Daemon::start(&setup);
        let series = daemon::cards(&setup, &agent, JOBS);
        assert_looked_for(by, &series.canaries, JOBS);
        assert_none(&series.hits);
        assert_none(&setup.left_in_pcscd(&series.canaries));
    }
}
