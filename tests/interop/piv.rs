//! pinwright on a PIV card, judged by OpenSC and yubico-piv-tool.

use pinwright::sim::server::PinMaker;
use support::pcscd::Pcscd;
use support::vcard::{Exchange, Vcard};

use super::job::{Authority, Job, assert_done, assert_refused, counted};
use super::opensc::OpenSc;
use super::yubico::{Status, Yubico};
use super::{GUID, PIN, PUK, apdu};

/// The GUID as RFC 4122 writes it: PIV has it in that order.
pub const CARD_ID: &str = "00112233-4455-6677-8899-aabbccddeeff";

const BY_PUK: Authority<'_> = Authority { name: "puk", secret: PUK };
const BY_CURRENT_PIN: Authority<'_> = Authority { name: "current-pin", secret: PIN };
const WRONG: &str = "99999999";

/// A card in the first of two readers of a pcscd.
fn card(pcscd: &Pcscd) -> Vcard {
    Vcard::piv(pcscd, 0, &["--guid", GUID, "--lenient"])
}

fn tries(exchanges: &[Exchange]) -> usize {
    exchanges.iter().filter(|exchange| exchange.is_try()).count()
}

/// Has that many wrong PINs offered.
fn spend_pin_tries(opensc: &OpenSc<'_>, card: &Vcard, count: usize) {
    card.declare_wrong_tries(count);
    opensc.send(&vec![apdu::piv_verify(WRONG); count]);
}

#[test]
fn inspect_agrees_with_the_judges_and_spends_no_try() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let (opensc, yubico) = (OpenSc::piv(&pcscd, &card), Yubico::new(&pcscd, &card));
    let job = Job::new(&pcscd, CARD_ID);
    for left in [3, 2] {
        if left == 2 {
            spend_pin_tries(&opensc, &card, 1);
        }
        let (inspected, exchanges) = card.watch(|| job.inspect());
        assert_eq!(inspected["family"], "piv");
        assert_eq!(inspected["card_id"], CARD_ID);
        assert_eq!(inspected["card_id_raw"], opensc.serial().as_str());
        assert_eq!(inspected["pin"]["tries_left"]["left"], left);
        assert_eq!(yubico.status(), Status { guid: GUID.to_owned(), tries_left: left });
        // This card tells nobody of its PUK, nor whether it is the factory's.
        assert_eq!(counted(&inspected, "puk"), None);
        assert_eq!(tries(&exchanges), 0);

        let readers = job.installation.pinwright(&pcscd, &["--json", "readers"]).exits(0).json();
        assert_eq!(readers["readers"][0]["family"], "piv");
        assert_eq!(readers["readers"][0]["card_id"], CARD_ID);
        assert_eq!(readers["readers"][0]["tries_left"]["left"], left);
    }
    assert!(job.installation.server.requests().is_empty(), "looking at a card needs no server");
}

#[test]
fn a_guid_that_yubico_writes_is_the_card_id() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let yubico = Yubico::new(&pcscd, &card);
    yubico.set_chuid().accepted();
    let guid = yubico.status().guid;
    assert_ne!(guid, GUID);
    assert_eq!(Job::new(&pcscd, CARD_ID).inspect()["card_id_raw"], guid.as_str());
}

#[test]
fn the_judges_accept_the_pin_that_was_set() {
    for authority in [BY_PUK, BY_CURRENT_PIN] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = card(&pcscd);
        let (opensc, yubico) = (OpenSc::piv(&pcscd, &card), Yubico::new(&pcscd, &card));
        let job = Job::new(&pcscd, CARD_ID);
        spend_pin_tries(&opensc, &card, 1);

        let (run, exchanges) = card.watch(|| job.enroll(authority));
        assert_done(&run, "piv", CARD_ID, authority.name, exchanges.len());

        let pin = job.pin();
        assert_eq!(yubico.status().tries_left, 3, "the counter is full");
        yubico.verify_pin(&pin).accepted();
        opensc.verify_pin(&pin).accepted();
        // And the PUK is as it was: the judge's own way to a PIN still works.
        yubico.unblock_pin(PUK, PIN).accepted();
        yubico.verify_pin(PIN).accepted();
        assert!(job.installation.server.violations().is_empty(), "{:?}", job.installation.server.violations());
    }
}

#[test]
fn the_card_forgets_the_pin_when_the_job_is_done() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let job = Job::new(&pcscd, CARD_ID);
    job.enroll(BY_PUK).exits(0);
    assert!(card.was_reset(), "nobody finds the PIN verified");
}

#[test]
fn a_blocked_pin_is_set_by_the_puk() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let (opensc, yubico) = (OpenSc::piv(&pcscd, &card), Yubico::new(&pcscd, &card));
    spend_pin_tries(&opensc, &card, 3);
    assert_eq!(yubico.status().tries_left, 0);
    let job = Job::new(&pcscd, CARD_ID);
    assert_eq!(job.inspect()["pin"]["tries_left"]["left"], 0);

    let (run, exchanges) = card.watch(|| job.enroll(BY_PUK));
    assert_done(&run, "piv", CARD_ID, "puk", exchanges.len());
    assert_eq!(yubico.status().tries_left, 3);
    yubico.verify_pin(&job.pin()).accepted();
}

#[test]
fn a_pin_that_a_judge_has_set_is_the_current_pin() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let (opensc, yubico) = (OpenSc::piv(&pcscd, &card), Yubico::new(&pcscd, &card));
    // The shortest and the longest that PIV has.
    yubico.change_pin(PIN, "864209").accepted();
    let job = Job::new(&pcscd, CARD_ID);
    job.enroll(Authority { name: "current-pin", secret: "864209" }).exits(0);
    opensc.change_pin(&job.pin(), "13579024").accepted();
    job.enroll(Authority { name: "current-pin", secret: "13579024" }).exits(0);
    opensc.unblock_pin(PUK, "5318008").accepted();
    job.enroll(Authority { name: "current-pin", secret: "5318008" }).exits(0);
    yubico.verify_pin(&job.pin()).accepted();
}

#[test]
fn a_puk_that_a_judge_has_set_is_the_puk() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let yubico = Yubico::new(&pcscd, &card);
    let job = Job::new(&pcscd, CARD_ID);
    // The shortest has to be filled up.
    for (old, new) in [(PUK, "87654321"), ("87654321", "246813")] {
        yubico.change_puk(old, new).accepted();
        job.enroll(Authority { name: "puk", secret: new }).exits(0);
        yubico.verify_pin(&job.pin()).accepted();
    }
}

#[test]
fn a_puk_of_a_length_that_no_puk_has_is_not_offered() {
    for secret in ["12345", "123456789"] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = card(&pcscd);
        let job = Job::new(&pcscd, CARD_ID);
        let (run, exchanges) = card.watch(|| job.enroll(Authority { name: "puk", secret }));
        assert_refused(&run, 7, "untouched", "PUK");
        assert_eq!(tries(&exchanges), 0);
        // Nothing is in doubt.
        job.enroll(BY_PUK).exits(0);
    }
}

#[test]
fn a_wrong_current_pin_costs_one_try_and_changes_nothing() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    card.declare_wrong_tries(1);
    let yubico = Yubico::new(&pcscd, &card);
    let job = Job::new(&pcscd, CARD_ID);
    let (run, exchanges) = card.watch(|| job.enroll(Authority { name: "current-pin", secret: WRONG }));
    assert_refused(&run, 4, "untouched-try-spent", "2 tries left");
    assert_eq!(tries(&exchanges), 1);
    assert_eq!(yubico.status().tries_left, 2);
    yubico.verify_pin(PIN).accepted();
}

#[test]
fn a_wrong_puk_costs_one_try_and_changes_nothing() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    card.declare_wrong_tries(1);
    let yubico = Yubico::new(&pcscd, &card);
    let job = Job::new(&pcscd, CARD_ID);
    let (run, exchanges) = card.watch(|| job.enroll(Authority { name: "puk", secret: WRONG }));
    assert_refused(&run, 4, "untouched-try-spent", "63C2");
    assert_eq!(tries(&exchanges), 1);
    assert_eq!(yubico.status().tries_left, 3, "the PIN's counter is another");
    yubico.verify_pin(PIN).accepted();
    // How many are left can't be asked: a second one is a person's decision.
    let (run, exchanges) = card.watch(|| job.enroll(BY_PUK));
    assert_refused(&run, 9, "untouched", "--risk-uncounted");
    assert_eq!(tries(&exchanges), 0);
    job.run(BY_PUK, &["--json", "set-pin", "--yes", "--again", "--risk-uncounted=puk"]).exits(0);
    yubico.verify_pin(&job.pin()).accepted();
}

#[test]
fn a_pin_with_few_tries_left_is_not_risked() {
    for (spent, left) in [(2, 1), (3, 0)] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = card(&pcscd);
        let (opensc, yubico) = (OpenSc::piv(&pcscd, &card), Yubico::new(&pcscd, &card));
        spend_pin_tries(&opensc, &card, spent);
        let job = Job::new(&pcscd, CARD_ID);
        // The right one: it is not the card that refuses.
        let (run, exchanges) = card.watch(|| job.enroll(BY_CURRENT_PIN));
        assert_refused(&run, 4, "untouched", "tries");
        assert_eq!(tries(&exchanges), 0, "{exchanges:?}");
        assert_eq!(yubico.status().tries_left, left);
    }
}

#[test]
fn a_blocked_puk_changes_nothing_and_is_offered_once() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = card(&pcscd);
    let (opensc, yubico) = (OpenSc::piv(&pcscd, &card), Yubico::new(&pcscd, &card));
    card.declare_wrong_tries(3);
    opensc.send(&vec![apdu::piv_unblock(WRONG, "11111111"); 3]);
    let job = Job::new(&pcscd, CARD_ID);
    // This card tells nobody how many tries its PUK has left: only the PUK itself finds out.
    card.declare_wrong_tries(1);
    let (run, exchanges) = card.watch(|| job.enroll(BY_PUK));
    assert_refused(&run, 4, "untouched-try-spent", "63C0");
    assert_eq!(tries(&exchanges), 1);
    // From then on the journal knows, and spares the card.
    let (run, exchanges) = card.watch(|| job.enroll(BY_PUK));
    assert_refused(&run, 9, "untouched", "--risk-uncounted");
    assert_eq!(tries(&exchanges), 0);
    assert_eq!(yubico.status().tries_left, 3);
    yubico.verify_pin(PIN).accepted();
}

#[test]
fn a_pin_that_does_not_fit_stops_the_job_before_a_try() {
    for pin in ["1234", "abcdef12", "123456789"] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = card(&pcscd);
        let job = Job::with(&pcscd, CARD_ID, PinMaker::Fixed(pin.as_bytes().to_vec()));
        let (run, exchanges) = card.watch(|| job.enroll(BY_PUK));
        assert_refused(&run, 8, "untouched", "PIN");
        assert_eq!(tries(&exchanges), 0, "{pin}");
        Yubico::new(&pcscd, &card).verify_pin(PIN).accepted();
    }
}

#[test]
fn the_server_is_no_authority_over_the_pin() {
    for command in [&["--json", "plan"][..], &["--json", "set-pin", "--yes", "--again"]] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let card = card(&pcscd);
        let job = Job::new(&pcscd, CARD_ID);
        job.installation.configure("", "[card]\nauthority = [\"server\", \"admin-key\"]");
        let (run, exchanges) = card.watch(|| job.installation.pinwright(&pcscd, command));
        assert_refused(&run, 2, "untouched", "the management key of a PIV card gives no right to its PIN");
        run.says("puk, current-pin");
        // Nor is the management key tried, which has no counter.
        assert!(exchanges.iter().all(|exchange| exchange.command[1] != 0x87), "{exchanges:?}");
        assert_eq!(tries(&exchanges), 0);
        assert!(job.installation.server.requests().is_empty(), "nor is the server asked for anything");
    }
}
