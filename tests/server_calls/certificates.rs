//! Certificates from the stand-in's authority for requests that OpenSSL has made, and what OpenSSL says of them.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinwright::apdu::Channel;
use pinwright::card::family::{Families, detect};
use pinwright::card::{Credential, Hash, KeyType, KeyUsage, PinJob as _, Room, SlotChoice, answer_with_admin_key};
use pinwright::enroll::csr::{Csr, check_certificate};
use pinwright::reader::Readers as _;
use pinwright::secret::{AdminKey, Pin};
use pinwright::server::{CertificateLook, CertificateProblem, PfxPassword, Posted, certificate_for};
use pinwright::sim::card::SharedCard;
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::reader::VirtualReaders;
use pinwright::sim::server::{CertificateForm, Endpoint, Fault, FaultKind, Issues, KeyOptions, StandIn};
use support::openssl::in_folder as openssl;

use crate::{PKCS10, REQUEST, SCID, block_on, done, of, stand_in};

/// What OpenSSL prints.
fn told(folder: &Path, arguments: &str) -> String {
    String::from_utf8(openssl(folder, arguments)).unwrap()
}

fn password() -> PfxPassword {
    PfxPassword::random().unwrap()
}

fn options(server: &StandIn, algorithm: &str, bits: u32) {
    let wanted = KeyOptions { algorithm: algorithm.to_owned(), bits, hash: "SHA256".to_owned() };
    server.state().change(|settings| settings.templates[0].keys = vec![wanted]);
}

#[test]
fn openssl_verifies_chain_key_and_use() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (algorithm, bits, made, hash) in [
        ("RSA", 2048, "-newkey rsa:2048", "sha1"),
        ("RSA", 2048, "-newkey rsa:2048", "sha256"),
        ("ECDSA_P256", 256, "-newkey ec -pkeyopt ec_paramgen_curve:P-256", "sha256"),
        ("ECDSA_P384", 384, "-newkey ec -pkeyopt ec_paramgen_curve:P-384", "sha384"),
    ] {
        openssl(folder, &format!("req -new {made} -nodes -{hash} -keyout our.key -subj / -outform DER -out our.csr"));
        let request = fs::read(folder.join("our.csr")).unwrap();
        for (form, turned) in [(CertificateForm::Cmc, 0), (CertificateForm::Bag, 0), (CertificateForm::Bag, 1)] {
            let case = format!("{algorithm}, {hash}, {form:?}, {turned}");
            let server = stand_in(|settings| {
                (settings.certificate_form, settings.certificates_turned) = (form, turned);
            });
            options(&server, algorithm, bits);
            let client = of(&server);
            let answers =
                done(block_on(client.certificate_data(REQUEST, std::slice::from_ref(&request), &password(), "")));
            let ours = certificate_for(&request, &answers.read().unwrap())
                .unwrap_or_else(|problem| panic!("{case}: {problem}"));
            fs::write(folder.join("our.cer"), &ours.certificate).unwrap();
            fs::write(folder.join("ca.pem"), server.state().authorities_pem().unwrap()).unwrap();
            openssl(folder, "x509 -inform DER -in our.cer -out our.pem");
            openssl(folder, "verify -purpose sslclient -CAfile ca.pem our.pem");
            let key = |command: &str| told(folder, command);
            assert_eq!(key("x509 -in our.pem -noout -pubkey"), key("pkey -in our.key -pubout"), "{case}");
            let text = told(folder, "x509 -in our.pem -noout -text");
            for words in ["TLS Web Client Authentication", "Microsoft Smartcard Login", "Digital Signature", "CA:TRUE"]
            {
                assert_eq!(text.contains(words), words != "CA:TRUE", "{case}: {words}: {text}");
            }
            // What is listed of it is what OpenSSL says.
            let fingerprint = told(folder, "x509 -in our.pem -noout -fingerprint -sha1").replace(':', "");
            let listed = block_on(client.smartcard_certificates(SCID)).unwrap();
            assert!(fingerprint.trim_end().ends_with(&listed[0].thumbprint), "{case}: {fingerprint}");
            let serial = told(folder, "x509 -in our.pem -noout -serial");
            assert_eq!(serial.trim_end(), format!("serial={}", listed[0].serial_number), "{case}");
            // The authorities came beside it.
            assert_eq!(ours.others.len(), 2, "{case}");
            for authority in &ours.others {
                fs::write(folder.join("one.cer"), authority).unwrap();
                assert!(told(folder, "x509 -inform DER -in one.cer -noout -text").contains("CA:TRUE"), "{case}");
            }
            assert!(server.violations().is_empty(), "{case}: {:?}", server.violations());
        }
    }
}

/// OpenSSL reads the stand-in's two messages: certificates alone, and the full response of CMC.
#[test]
fn openssl_reads_the_messages() {
    let folder = tempfile::tempdir().unwrap();
    for (form, kind) in [(CertificateForm::Bag, "pkcs7-data"), (CertificateForm::Cmc, "id-cct-PKIResponse")] {
        let server = stand_in(|settings| settings.certificate_form = form);
        let answers =
            done(block_on(of(&server).certificate_data(REQUEST, &[PKCS10.to_vec()], &password(), ""))).read().unwrap();
        fs::write(folder.path().join("message.der"), answers[0].pkcs7.as_ref().unwrap()).unwrap();
        let printed = told(folder.path(), "cms -cmsout -print -inform DER -in message.der");
        assert!(printed.contains(kind) && printed.matches("d.certificate:").count() == 3, "{form:?}: {printed}");
    }
}

#[test]
fn what_is_not_for_our_key_is_refused_by_name() {
    let server = stand_in(|settings| settings.issues_again = true);
    let client = of(&server);
    let ask = |issues: Issues| {
        server.state().change(|settings| settings.issues = issues);
        let answers =
            done(block_on(client.certificate_data(REQUEST, &[PKCS10.to_vec()], &password(), ""))).read().unwrap();
        certificate_for(PKCS10, &answers)
    };
    let other = ask(Issues::ForAnotherKey).unwrap_err();
    assert!(matches!(other, CertificateProblem::OtherKeys { .. }), "{other}");
    assert!(other.to_string().contains("CN=Contoso Issuing CA"), "{other}");
    let denied = ask(Issues::Denied("Denied by Policy Module \u{1b}[1m".to_owned())).unwrap_err();
    assert_eq!(denied, CertificateProblem::Denied { reason: "Denied by Policy Module [1m".to_owned() });
    assert_eq!(ask(Issues::Nothing).unwrap_err(), CertificateProblem::Empty);
    assert!(ask(Issues::Right).is_ok());
    options(&server, "RSA", 3072);
    assert!(matches!(ask(Issues::Right).unwrap_err(), CertificateProblem::Denied { .. }));
    assert!(server.violations().is_empty());
}

/// More answers than requests: a key of the server's in a PFX, an earlier one, and somebody's certificate before ours.
#[test]
fn more_answers_than_requests() {
    let bag = STANDARD.encode(include_bytes!("../../fixtures/certificates/bag-other.p7b"));
    let server = stand_in(|settings| {
        settings.more_answers = vec![
            r#"{"Pfx":"CANARYCANARY","isPfx":true,"isServerGenerated":true,"Pkcs7":null}"#.to_owned(),
            format!(r#"{{"Pkcs7":"{bag}","isKeyHistory":"True","isPkcs7":true}}"#),
            r#"{"Error":"no escrow","isServerGenerated":1}"#.to_owned(),
            format!(r#"{{"Pkcs7":"{bag}","UNKNOWN":[[{{}}]]}}"#),
        ];
    });
    let answers =
        done(block_on(of(&server).certificate_data(REQUEST, &[PKCS10.to_vec()], &password(), ""))).read().unwrap();
    assert_eq!(answers.len(), 5);
    assert!(certificate_for(PKCS10, &answers).is_ok() && !format!("{answers:?}").contains("CANARY"));
}

/// The hard case: certificates were issued, and their answer was lost. What the server shows says so, and nothing is sent again.
#[test]
fn a_lost_answer_is_looked_for() {
    for kind in [FaultKind::DropBeforeHeaders, FaultKind::DropMidBody, FaultKind::Garbage, FaultKind::status(204)] {
        let server = stand_in(|_| {});
        let client = of(&server);
        block_on(async {
            let before = client.smartcard_certificates(SCID).await.unwrap();
            assert_eq!(client.look_for_certificates(SCID, &before).await.unwrap(), CertificateLook::NotShown);
            server.inject(Fault::on(Endpoint::CertificateData, kind.clone()));
            let lost = client.certificate_data(REQUEST, &[PKCS10.to_vec()], &password(), "").await.unwrap();
            assert!(matches!(lost, Posted::Lost(_)), "{kind:?}");
            let CertificateLook::Issued(issued) = client.look_for_certificates(SCID, &before).await.unwrap() else {
                panic!("{kind:?}: not shown")
            };
            assert_eq!((issued.len(), issued[0].thumbprint.len()), (1, 40), "{kind:?}");
        });
        let sent = server.requests().into_iter().filter(|call| call.endpoint == Some(Endpoint::CertificateData));
        assert_eq!((sent.count(), server.violations().len()), (1, 0), "{kind:?}");
    }
}

/// From a card's key to a certificate for it: the request is the card's own, of each kind of key.
#[test]
fn a_cards_own_request_is_issued_for() {
    let cases: [(KeyType, &str, u32, Hash); 3] = [
        (KeyType::Rsa2048, "RSA", 2048, Hash::Sha256),
        (KeyType::P256, "ECDSA_P256", 256, Hash::Sha256),
        (KeyType::P384, "ECDSA_P384", 384, Hash::Sha384),
    ];
    for (key_type, algorithm, bits, hash) in cases {
        let csr = request_of_a_card(key_type, hash);
        let server = stand_in(|_| {});
        options(&server, algorithm, bits);
        let answers = block_on(of(&server).certificate_data(REQUEST, &[csr.der().to_vec()], &password(), ""));
        let ours = certificate_for(csr.der(), &done(answers).read().unwrap()).unwrap();
        check_certificate(&ours.certificate, csr.key()).unwrap();
        for authority in &ours.others {
            assert!(check_certificate(authority, csr.key()).is_err());
        }
        assert!(server.violations().is_empty(), "{:?}", server.violations());
    }
}

fn request_of_a_card(key_type: KeyType, hash: Hash) -> Csr {
    let readers = VirtualReaders::with_card("Desk 1", SharedCard::new(PivCard::new(PivSettings::default())));
    let mut connection = readers.open("Desk 1").unwrap();
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection.as_mut());
    let mut card = detect(&atr, &mut channel, &Families::default()).unwrap();
    card.identify(&mut channel).unwrap();
    let key = AdminKey::new(&PivSettings::default().management_key).unwrap();
    let challenge = card.challenge(&mut channel).unwrap();
    let answer = answer_with_admin_key(&key, &challenge).unwrap();
    card.authorize(&mut channel, &Credential::Answer(answer)).unwrap();
    let choice = SlotChoice::First(KeyUsage::Exchange);
    let Room::Free(place) = card.keys().unwrap().room(&mut channel, choice).unwrap() else { panic!("no room") };
    let public = card.keys().unwrap().generate(&mut channel, &place, key_type, "").unwrap();
    card.verify_pin(&mut channel, &Pin::new(b"123456").unwrap()).unwrap();
    let keys = card.keys().unwrap();
    Csr::sign(keys, &mut channel, place.slot(), &public, "", hash).unwrap()
}
