//! The admin key becomes the server's own, and is proved with the server's own answer.

use pinwright::card::AdminKeyHindrance;
use pinwright::exit::Exit;
use pinwright::job::effect::{CardState, Change, ProofState};
use pinwright::job::stage_error::{KeptKey, StageError};

use super::*;

const IN_ORDER: [Moment; 6] = [
    Moment::AboutToProve(AdminKeyVersion::Default),
    Moment::Proved(AdminKeyVersion::Default),
    Moment::AboutToWrite,
    Moment::Written,
    Moment::AboutToProve(AdminKeyVersion::Diversified),
    Moment::Proved(AdminKeyVersion::Diversified),
];

#[test]
fn a_gids_card_gets_the_servers_key_and_proves_it() {
    for settings in [gids(), GidsSettings { check_kcv: true, admin_tries: Some(1), ..gids() }] {
        let card = SharedCard::new(GidsCard::personalised(settings));
        let (mut source, noted) = (Source::default(), Noted::default());
        hold(&card, |held| {
            let before = card.with(|card| card.commands_seen());
            replace(held, None, &mut source, &NEVER, &mut noted.note()).unwrap();
            // A challenge, which is two commands, and its answer, twice; the card ID once; the write.
            assert_eq!(card.with(|card| card.commands_seen()) - before, 8);
            let effect = held.effect();
            assert_eq!(effect.admin_key, Change::New { verified: true });
            assert_eq!((effect.proof, effect.card_state()), (ProofState::Accepted, CardState::Changed));
        });
        assert!(card.with(|card| card.admin_key_is(&NEW) && card.admin_failures() == 0));
        assert_eq!(noted.all(), IN_ORDER);
        assert_eq!(source.calls, ["diversified key", "answer False", "answer True"]);
    }
}

#[test]
fn a_piv_card_gets_the_servers_key_and_proves_it() {
    let card = SharedCard::new(PivCard::new(yubico()));
    let (mut source, noted) = (Source::default(), Noted::default());
    hold(&card, |held| {
        replace(held, None, &mut source, &NEVER, &mut noted.note()).unwrap();
        assert_eq!(held.effect().admin_key, Change::New { verified: true });
        // The administrator stays authenticated: keys can be made without another proof.
        assert!(held.is_authorized());
    });
    assert_eq!(noted.all(), IN_ORDER);
    assert_eq!(card.with(|card| card.admin_failures()), 0);
    let mut source = Source::default();
    hold(&card, |held| prove(held, None, &mut source, &NEVER, &mut |_| Ok(())).unwrap());
    assert_eq!(source.calls, ["answer True"]);
}

/// The server that hands out one key and answers with another: the card has what was written, and nobody knows what the server has.
#[test]
fn a_refused_second_answer_leaves_an_unknown_key() {
    let card = SharedCard::new(GidsCard::personalised(gids()));
    let mut source = Source { diversified: vec![7; 24], ..Source::default() };
    let noted = Noted::default();
    hold(&card, |held| {
        let cause = replace(held, None, &mut source, &NEVER, &mut noted.note()).unwrap_err();
        assert!(matches!(cause, Cause::Stage(StageError::AdminKeyUnproven(_))), "{cause}");
        assert_eq!(word(&cause), Some(0x6982));
        let remedy = cause.remedy();
        assert!(remedy.contains("--admin-key") && remedy.contains("don't repeat"), "{remedy}");
        let effect = held.effect();
        assert_eq!((effect.admin_key, effect.proof), (Change::Unknown, ProofState::Refused));
        let failure = held.failure(cause);
        assert_eq!(Exit::from(&failure), Exit::Attention);
        assert!(failure.effect.told().contains("admin key") && !failure.effect.told().contains("PIN"));
    });
    assert_eq!(card.with(|card| card.admin_failures()), 1, "one attempt, and no other flag");
    assert_eq!(noted.all(), IN_ORDER[..5]);
    assert_eq!(source.calls, ["diversified key", "answer False", "answer True"]);
}

#[test]
fn a_card_without_the_default_key_is_not_written_to() {
    let card = SharedCard::new(GidsCard::personalised(GidsSettings { admin_key: [9; 24], ..gids() }));
    let (mut source, noted) = (Source::default(), Noted::default());
    hold(&card, |held| {
        let cause = replace(held, None, &mut source, &NEVER, &mut noted.note()).unwrap_err();
        assert_eq!(word(&cause), Some(0x6982));
        let failure = held.failure(cause);
        assert_eq!((failure.effect.admin_key, failure.card_state()), (Change::AsBefore, CardState::TrySpent));
        assert_eq!(Exit::from(&failure), Exit::CardRefused);
    });
    assert_eq!(noted.all(), IN_ORDER[..1]);
    assert_eq!(source.calls, ["diversified key", "answer False"]);
    assert!(card.with(|card| card.admin_key_is(&[9; 24]) && card.admin_failures() == 1));
}

#[test]
fn a_key_that_can_t_be_a_servers_is_told_before_anything_secret_is_fetched() {
    let piv = |settings| SharedCard::new(PivCard::new(settings));
    for (settings, expected) in [
        (PivSettings::default(), AdminKeyHindrance::NoCommand),
        (
            PivSettings { management_algorithm: 0x0A, ..yubico() },
            AdminKeyHindrance::Algorithm(pinwright::card::KeyAlgorithm::Aes192),
        ),
    ] {
        let (card, mut source) = (piv(settings), Source::default());
        hold(&card, |held| {
            let cause = replace(held, None, &mut source, &NEVER, &mut |_| panic!("nothing to note")).unwrap_err();
            let Cause::Stage(StageError::AdminKeyKept(KeptKey::Hindrance(found))) = cause else { panic!("{cause}") };
            assert_eq!(found, expected);
            assert!(held.effect().is_none());
        });
        assert!(source.calls.is_empty());
    }
    // A challenge that no server answers, and a key of another length.
    let mutual = SharedCard::new(GidsCard::personalised(GidsSettings { mutual_only: true, ..gids() }));
    let short = SharedCard::new(GidsCard::personalised(gids()));
    for (card, given, expected) in [(&mutual, NEW.to_vec(), KeptKey::Challenge), (&short, vec![1; 16], KeptKey::NoKey)]
    {
        let mut source = Source { given, ..Source::default() };
        hold(card, |held| {
            let cause = replace(held, None, &mut source, &NEVER, &mut |_| panic!("nothing to note")).unwrap_err();
            let Cause::Stage(StageError::AdminKeyKept(found)) = cause else { panic!("{cause}") };
            assert_eq!(found, expected);
            assert!(held.effect().is_none());
        });
        assert_eq!(source.calls, ["diversified key"]);
    }
}

#[test]
fn a_note_that_fails_or_an_interruption_stops_before_the_next_command() {
    for stop in 0..5 {
        let card = SharedCard::new(GidsCard::personalised(gids()));
        let (mut source, mut noted) = (Source::default(), Vec::new());
        hold(&card, |held| {
            let stopped = replace(held, None, &mut source, &NEVER, &mut |moment| {
                noted.push(moment);
                if noted.len() > stop { Err(Cause::Interrupted) } else { Ok(()) }
            });
            assert!(matches!(stopped, Err(Cause::Interrupted)));
            let is_new = card.with(|card| card.admin_key_is(&NEW));
            assert_eq!(is_new, stop >= 3, "{stop}");
            let expected = if is_new { Change::New { verified: false } } else { Change::AsBefore };
            assert_eq!(held.effect().admin_key, expected, "{stop}");
        });
        assert_eq!(noted, IN_ORDER[..=stop]);
    }
    // An interruption counts until the write, and not between the write and the proof.
    for at in 0..6 {
        let card = SharedCard::new(GidsCard::personalised(gids()));
        let (mut source, interrupted, mut count) = (Source::default(), AtomicBool::new(false), 0);
        let result = hold(&card, |held| {
            replace(held, None, &mut source, &interrupted, &mut |_| {
                interrupted.store(count >= at, std::sync::atomic::Ordering::Relaxed);
                count += 1;
                Ok(())
            })
        });
        assert_eq!(result.is_ok(), at >= 2, "{at}");
        assert_eq!(card.with(|card| card.admin_key_is(&NEW)), at >= 2, "{at}");
    }
}
