//! Many jobs in one process that lives on.

use serde_json::json;

use super::agent::Agent;
use super::canary_setup::{By, CanarySetup, Spelling};
use super::command::LOUD;
use super::forms::{Canary, Kind, forms, planted};
use super::scan::{Hit, Scanner};

/// What `jobs` jobs left, of so many secrets.
pub struct Series {
    pub hits: Vec<Hit>,
    pub canaries: Vec<Canary>,
}

/// Jobs that all end well, in lengths and spellings that vary.
pub fn jobs(setup: &CanarySetup, agent: &mut Agent, jobs: usize) -> Series {
    let canaries = each(setup, agent, jobs, |length, spelling| setup.arm(length, spelling));
    let mut hits = agent.scan(&canaries);
    hits.extend(setup.left_on_disk(&Scanner::new(&canaries)));
    Series { hits, canaries }
}

/// The secrets of such jobs, each with those that `arm` has put in place for it.
pub fn each(
    setup: &CanarySetup,
    agent: &mut Agent,
    jobs: usize,
    mut arm: impl FnMut(usize, Spelling) -> Vec<Canary>,
) -> Vec<Canary> {
    let mut canaries = Vec::new();
    for job in 0..jobs {
        let spelling = match job % 8 {
            7 => Spelling::Escaped,
            _ => Spelling::After(job % 32),
        };
        let armed = arm([8, 6, 16, 8][job % 4], spelling);
        let ended = agent.job(setup, LOUD, json!({}));
        assert_eq!(ended, "0", "{}", std::fs::read_to_string(setup.installation.path("stderr")).unwrap());
        assert!(setup.has_pin(&armed[0]) && setup.has_been_sent_the_cookie());
        canaries.extend(armed);
        canaries.extend(setup.answers());
    }
    canaries
}

#[track_caller]
pub fn assert_none(hits: &[Hit]) {
    let shown: Vec<String> = hits.iter().map(ToString::to_string).collect();
    assert!(hits.is_empty(), "{} copies:\n{}", hits.len(), shown.join("\n"));
}

#[test]
fn whatever_is_planted_is_found() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    let mut agent = Agent::new(&setup);
    let controls = [
        Canary::text(Kind::Pin, 8),
        Canary::digits(Kind::CurrentPin, 8),
        Canary::text(Kind::Token, 43),
        Canary::text(Kind::RefreshToken, 43),
        Canary::binary(Kind::Answer, 8),
    ];
    assert_none(&agent.scan(&controls));
    let planted: Vec<_> = controls.iter().map(|control| (control.kind, planted(control))).collect();
    let contents: Vec<&[u8]> =
        planted.iter().flat_map(|(_, contents)| contents).map(|(_, content)| &content[..]).collect();
    // Not one of them in the other's surroundings.
    let file = setup.installation.path("tmp/planted");
    std::fs::write(&file, contents.join(&[0xFF; 16][..])).unwrap();
    assert_eq!(agent.order(&json!({ "plant": file })), "planted");
    let mut looks = vec![agent.scan(&controls), Scanner::new(&controls).file(&file).unwrap()];
    looks.extend(agent.core(&setup, &controls));
    for hits in looks {
        for (kind, contents) in &planted {
            let hits: Vec<_> = hits.iter().filter(|hit| hit.kind == *kind).collect();
            for form in forms(&controls[0]) {
                assert!(hits.iter().any(|hit| hit.form == form.name), "{} of the {}", form.name, kind.name());
            }
            assert!(hits.len() >= contents.len(), "{} of {} of the {}", hits.len(), contents.len(), kind.name());
        }
    }
}

#[test]
fn a_process_that_lives_on_keeps_nothing() {
    for http2 in [true, false] {
        let Some(pcscd) = super::pcscd() else { return };
        let setup = CanarySetup::new(pcscd, By::Server, |settings| settings.http2 = http2);
        let mut agent = Agent::new(&setup);
        let series = jobs(&setup, &mut agent, 50);
        // PIN, admin key, token, cookie and answer of each.
        assert_eq!(series.canaries.len(), 250);
        assert_none(&series.hits);
        // Registers are in a core, too.
        assert_none(&agent.core(&setup, &series.canaries).unwrap_or_default());
    }
}
