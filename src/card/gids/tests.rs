use super::*;
use crate::reader::Readers;
use crate::reader::fixture::Fixture;
use crate::reader::replay::Replay;
use crate::secret::AdminKey;

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

/// The two measured sessions, with the randomness of their hosts (R1, and Z1 of their tokens).
#[test]
fn measured_mutual_authentications_play() {
    type Random = fn(&mut [u8]) -> Result<(), getrandom::Error>;
    let sessions: [(&str, Random, &str); 2] = [
        ("authenticate-mutual-ok.apdu", |to| fill(to, "00112233445566778899AABBCCDDEEFF"), "01020304050607"),
        ("unblock-mutual-ok.apdu", |to| fill(to, "680DA413710B9BC7A021318DEDA6D18A"), "44A25C9E2453CD"),
    ];
    for (name, random, z1) in sessions {
        let replay = session(name);
        let mut connection = replay.open(&replay.list().unwrap()[0].name).unwrap();
        let mut channel = Channel::new(connection.as_mut());
        let mut card = Gids { random, ..Gids::new(IdOrder::Windows, APPLET_LIMITS) };
        send(&mut channel, "MSE SET", &commands::set_admin_environment()).unwrap();
        let challenge = card.mutual_challenge(&mut channel).unwrap();
        let nonces = challenge.0.as_slice().try_into().unwrap();
        let z1 = hex::decode(z1).unwrap().try_into().unwrap();
        let answer = AdminResponse::mutual(mutual::token(&key(), nonces, z1).unwrap(), &key());
        card.authorize(&mut channel, &answer).unwrap();
        if name.starts_with("unblock") {
            card.set_pin(&mut channel, &Pin::new(b"87654321").unwrap()).unwrap();
            card.forget(&mut channel).unwrap();
            connection.end(crate::reader::EndAction::Leave).unwrap();
            replay.finish().unwrap();
        }
    }
}

#[test]
fn a_token_without_a_key_to_check_the_card_by_is_not_sent() {
    let replay = session("authenticate-mutual-ok.apdu");
    let mut connection = replay.open(&replay.list().unwrap()[0].name).unwrap();
    let mut channel = Channel::new(connection.as_mut());
    let mut card = Gids { nonces: Some([1; NONCES]), ..Gids::new(IdOrder::Windows, APPLET_LIMITS) };
    let from_server = AdminResponse::new(&[0; TOKEN]);
    assert!(matches!(card.authorize(&mut channel, &from_server), Err(CardError::OnlyByKey { length: TOKEN })));
    // And the challenge is gone with it.
    assert!(matches!(card.authorize(&mut channel, &from_server), Err(CardError::AnswerLength { .. })));
    assert_eq!(channel.exchanges(), 0);
}

#[test]
fn a_current_pin_is_no_longer_than_the_card_takes() {
    let card = Gids::new(IdOrder::Windows, APPLET_LIMITS);
    assert_eq!(card.code_lengths(Proof::CurrentPin), Some((1, APPLET_LIMITS.max)));
    assert_eq!(card.code_lengths(Proof::Puk), None);
}
