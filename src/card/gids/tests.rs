use super::*;
use crate::apdu::Command;
use crate::card::admin_key::answer;
use crate::card::key_algorithm::KeyAlgorithm;
use crate::card::pin_job::PinJob;
use crate::card::script::play;
use crate::reader::Readers;
use crate::reader::fixture::Fixture;
use crate::reader::replay::Replay;
use crate::secret::{AdminKey, Pin};

fn key() -> AdminKey {
    AdminKey::from_hex("0102030405060708".repeat(3).as_bytes()).unwrap()
}

/// A recorded session from its MSE SET on.
fn session(name: &str) -> Replay {
    let path = format!("{}/fixtures/apdu/gids/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut fixture: Fixture = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let environment = commands::set_admin_environment().frames(crate::reader::Protocol::T1, false)[0].to_string();
    let at = fixture.exchanges.iter().position(|exchange| exchange.command.to_string() == environment).unwrap();
    fixture.exchanges.drain(..at);
    Replay::new(fixture).unwrap()
}

fn fill(to: &mut [u8], text: &str) -> Result<(), getrandom::Error> {
    to.copy_from_slice(&hex::decode(text).unwrap());
    Ok(())
}

/// The measured sessions, with the randomness of their hosts (R1, and Z1 of their tokens).
#[test]
fn measured_mutual_authentications_play() {
    type Random = fn(&mut [u8]) -> Result<(), getrandom::Error>;
    let sessions: [(&str, Random, &str); 3] = [
        ("authenticate-mutual-ok.apdu", |to| fill(to, "00112233445566778899AABBCCDDEEFF"), "01020304050607"),
        ("unblock-mutual-ok.apdu", |to| fill(to, "680DA413710B9BC7A021318DEDA6D18A"), "44A25C9E2453CD"),
        ("change-admin-key-mutual-ok.apdu", |to| fill(to, "AA1A97E7771EE9B12A966C10E7E707E8"), "5ECE391A6A86CA"),
    ];
    for (name, random, z1) in sessions {
        let replay = session(name);
        let mut connection = replay.open(&replay.list().unwrap()[0].name).unwrap();
        let mut channel = Channel::new(connection.as_mut());
        let mut card = Gids { random, ..Gids::new(IdOrder::Windows, APPLET_LIMITS) };
        send(&mut channel, "MSE SET", &commands::set_admin_environment()).unwrap();
        let Challenge::Mutual(nonces) = card.mutual_challenge(&mut channel).unwrap() else { panic!("{name}") };
        let z1 = hex::decode(z1).unwrap().try_into().unwrap();
        let answer = AdminResponse::mutual(mutual::token(&key(), &nonces, &z1).unwrap(), &key());
        let credential = Credential::Answer(answer);
        card.authorize(&mut channel, &credential).unwrap();
        let exchanges = channel.exchanges();
        // The challenge is used up: its token is sent once.
        let again = card.authorize(&mut channel, &credential);
        assert!(matches!(again, Err(CardError::AnswerLength { length: TOKEN, expected: CHALLENGE_LENGTH })), "{name}");
        assert_eq!(channel.exchanges(), exchanges, "{name}");
        match name.split('-').next() {
            Some("unblock") => {
                card.set_pin(&mut channel, &credential, &Pin::new(b"87654321").unwrap()).unwrap();
            }
            Some("change") => {
                card.write_admin_key(&mut channel, KeyAlgorithm::TripleDes, &key()).unwrap();
            }
            _ => continue,
        }
        card.forget(&mut channel).unwrap();
        connection.end(crate::reader::EndAction::Leave).unwrap();
        replay.finish().unwrap();
    }
}

/// The measured session in which the key was replaced, proved by a challenge, and put back.
#[test]
fn a_measured_change_of_the_admin_key_plays() {
    let text = include_str!("../../../fixtures/apdu/gids/change-admin-key-ok.apdu");
    let replay = Replay::new(text.parse().unwrap()).unwrap();
    let mut connection = replay.open(&replay.list().unwrap()[0].name).unwrap();
    let mut channel = Channel::new(connection.as_mut());
    let new = AdminKey::from_hex(b"981540F87A2907F81CFBA16E2AC42AC7E397D3584AD56408").unwrap();
    let status = |error: CardError| error.status().map(|status| status.word());

    assert!(Gids::is_selected(&channel.send(&commands::select()).unwrap()));
    let mut card = Gids::new(IdOrder::Windows, APPLET_LIMITS);
    let without_right = card.write_admin_key(&mut channel, KeyAlgorithm::TripleDes, &new).unwrap_err();
    assert_eq!(status(without_right), Some(0x6982));
    let challenge = card.challenge(&mut channel).unwrap();
    let credential = Credential::Answer(answer(&key(), &challenge).unwrap());
    card.authorize(&mut channel, &credential).unwrap();
    card.write_admin_key(&mut channel, KeyAlgorithm::TripleDes, &new).unwrap();
    // The administrator is still authenticated.
    card.set_pin(&mut channel, &credential, &Pin::new(b"87654321").unwrap()).unwrap();
    let with_the_old = card.prove_admin_key(&mut channel, &key()).unwrap_err();
    assert_eq!(status(with_the_old), Some(0x6982));
    let verify_status = Command::new(0x00, 0x20, 0x00, 0x80);
    assert_eq!(channel.send(&verify_status).unwrap().status().tries_left(), Some(3));
    card.prove_admin_key(&mut channel, &new).unwrap();
    card.write_admin_key(&mut channel, KeyAlgorithm::TripleDes, &key()).unwrap();
    card.forget(&mut channel).unwrap();
    card.prove_admin_key(&mut channel, &key()).unwrap();
    card.forget(&mut channel).unwrap();
    connection.end(crate::reader::EndAction::Leave).unwrap();
    replay.finish().unwrap();
}

#[test]
fn a_key_of_another_algorithm_is_not_written() {
    play(&[], |channel| {
        let mut card = Gids::new(IdOrder::Windows, APPLET_LIMITS);
        for algorithm in [KeyAlgorithm::Aes128, KeyAlgorithm::Aes192, KeyAlgorithm::Aes256] {
            let refused = card.write_admin_key(channel, algorithm, &key()).unwrap_err();
            assert!(matches!(refused, CardError::KeyAlgorithm { .. }), "{refused}");
        }
        let aes = AdminKey::new(&[1; 16]).unwrap();
        let refused = card.write_admin_key(channel, KeyAlgorithm::TripleDes, &aes).unwrap_err();
        assert!(matches!(refused, CardError::KeyLength { length: 16, expected: 24 }), "{refused}");
    });
}

#[test]
fn a_token_without_a_key_to_check_the_card_by_is_not_sent() {
    let replay = session("authenticate-mutual-ok.apdu");
    let mut connection = replay.open(&replay.list().unwrap()[0].name).unwrap();
    let mut channel = Channel::new(connection.as_mut());
    let nonces = Some(Nonces { card: [1; 16], host: [1; 16] });
    let mut card = Gids { nonces, ..Gids::new(IdOrder::Windows, APPLET_LIMITS) };
    let from_server = Credential::Answer(AdminResponse::new(&[0; TOKEN]));
    for _ in 0..2 {
        let refused = card.authorize(&mut channel, &from_server);
        assert!(matches!(refused, Err(CardError::OnlyByKey { length: TOKEN })));
    }
    // Without a challenge that waits it is too long for one.
    card.nonces = None;
    assert!(matches!(card.authorize(&mut channel, &from_server), Err(CardError::AnswerLength { .. })));
    assert_eq!(channel.exchanges(), 0);
}

#[test]
fn a_current_pin_is_no_longer_than_the_card_takes() {
    let card = Gids::new(IdOrder::Windows, APPLET_LIMITS);
    assert_eq!(card.code_lengths(Proof::CurrentPin), Some((1, APPLET_LIMITS.max)));
    assert_eq!(card.code_lengths(Proof::Puk), None);
}
