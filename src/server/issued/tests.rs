//! Answers made by OpenSSL (`fixtures/certificates/make.sh`): which certificate is taken, and what is refused by which name.

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../fixtures/certificates/", $name))
    };
}

const RSA_REQUEST: &[u8] = fixture!("rsa.csr");
const P256_REQUEST: &[u8] = fixture!("p256.csr");
const P384_REQUEST: &[u8] = fixture!("p384.csr");
const RSA_CERTIFICATE: &[u8] = fixture!("rsa.cer");
const AUTHORITY: &[u8] = fixture!("ca.cer");

fn answer(message: &[u8]) -> IssuedCertificate {
    IssuedCertificate { template: "Logon".to_owned(), pkcs7: Some(message.to_vec()), ..IssuedCertificate::default() }
}

fn denied(reason: &str) -> IssuedCertificate {
    IssuedCertificate { error: Some(reason.to_owned()), ..IssuedCertificate::default() }
}

fn of_the_servers_key(answer: IssuedCertificate) -> IssuedCertificate {
    IssuedCertificate { is_for_another_key: true, ..answer }
}

#[test]
fn the_public_key_decides_wherever_the_certificate_stands() {
    let cases: [(&str, &[u8], &[u8], usize); 8] = [
        ("alone, in the middle", RSA_REQUEST, fixture!("bag-rsa.p7b"), 2),
        ("at the end, beside another's", RSA_REQUEST, fixture!("bag-rsa-shuffled.p7b"), 3),
        ("twice the same", RSA_REQUEST, fixture!("bag-rsa-twice.p7b"), 1),
        ("beside a list of revoked ones", RSA_REQUEST, fixture!("bag-rsa-crl.p7b"), 1),
        ("CMC", RSA_REQUEST, fixture!("cmc-rsa.p7b"), 2),
        ("CMC, beside another's", P256_REQUEST, fixture!("cmc-p256.p7b"), 3),
        ("P-256", P256_REQUEST, fixture!("bag-p256.p7b"), 2),
        ("P-384, without authorities", P384_REQUEST, fixture!("bag-p384.p7b"), 0),
    ];
    for (case, request, message, others) in cases {
        let ours = certificate_for(request, &[answer(message)]).unwrap_or_else(|problem| panic!("{case}: {problem}"));
        assert_eq!((ours.others.len(), &*ours.template), (others, "Logon"), "{case}");
        assert!(message.windows(ours.certificate.len()).any(|part| part == ours.certificate), "{case}: byte for byte");
        if request == RSA_REQUEST && case != "CMC" {
            assert!(ours.others.iter().any(|other| other == AUTHORITY), "{case}");
        }
    }
    let ours = certificate_for(RSA_REQUEST, &[answer(fixture!("bag-rsa.p7b"))]).unwrap();
    assert_eq!(ours.certificate, RSA_CERTIFICATE);
}

/// More answers than requests, in any order: those for other keys, and what went wrong with them, are nobody's business.
#[test]
fn answers_for_other_keys_stand_in_nobodys_way() {
    let bag = fixture!("bag-rsa.p7b");
    let others = [
        answer(fixture!("bag-other.p7b")),
        answer(fixture!("bag-authorities.p7b")),
        answer(fixture!("bag-p256.p7b")),
        answer(b"\x30\x03\x02\x01\x01"),
        answer(fixture!("bag-empty.p7b")),
        of_the_servers_key(denied("no key escrow")),
        IssuedCertificate::default(),
        of_the_servers_key(answer(fixture!("enveloped.p7b"))),
    ];
    for at in 0..=others.len() {
        let mut answers = others.to_vec();
        answers.insert(at, answer(bag));
        assert_eq!(certificate_for(RSA_REQUEST, &answers).unwrap().certificate, RSA_CERTIFICATE, "at {at}");
        assert!(certificate_for(P256_REQUEST, &answers).is_ok(), "each request has its own");
    }
    // A flag that says otherwise does not: the key does.
    let flagged = of_the_servers_key(answer(bag));
    assert_eq!(certificate_for(RSA_REQUEST, &[flagged]).unwrap().certificate, RSA_CERTIFICATE);
    // The same certificate in two answers is one.
    assert!(certificate_for(RSA_REQUEST, &[answer(bag), answer(fixture!("bag-rsa-shuffled.p7b"))]).is_ok());
}

#[test]
fn what_is_no_certificate_for_our_key_is_refused_by_name() {
    let message = |part| CertificateProblem::Message { part };
    let other_keys = |names: &[&str]| CertificateProblem::OtherKeys {
        subjects: Subjects(names.iter().map(|&name| name.to_owned()).collect()),
    };
    let somebody = "CN=somebody else,DC=contoso,DC=com";
    let (issuing, root) = ("CN=Contoso Issuing CA,DC=contoso,DC=com", "CN=Contoso Root CA");
    let bag = fixture!("bag-rsa.p7b");
    let cases: Vec<(&str, Vec<IssuedCertificate>, CertificateProblem)> = vec![
        ("nothing", vec![], CertificateProblem::Empty),
        ("an element without anything", vec![IssuedCertificate::default()], CertificateProblem::Empty),
        (
            "a certificate of another key",
            vec![answer(fixture!("bag-other.p7b"))],
            other_keys(&[somebody, issuing, root]),
        ),
        ("authorities alone", vec![answer(fixture!("bag-authorities.p7b"))], other_keys(&[issuing, root])),
        ("no certificate in it", vec![answer(fixture!("bag-empty.p7b"))], message(MessagePart::NoCertificates)),
        ("enveloped data", vec![answer(fixture!("enveloped.p7b"))], message(MessagePart::Kind)),
        ("a certificate without its message", vec![answer(RSA_CERTIFICATE)], message(MessagePart::Whole)),
        ("cut off", vec![answer(&bag[..bag.len() - 1])], message(MessagePart::Whole)),
        ("bytes behind it", vec![answer(&[bag, &[0][..]].concat())], message(MessagePart::Whole)),
        ("text", vec![answer(b"-----BEGIN PKCS7-----")], message(MessagePart::Whole)),
        ("no byte", vec![answer(b"")], message(MessagePart::Whole)),
        (
            "refused by the authority",
            vec![answer(fixture!("bag-other.p7b")), denied("Denied by Policy Module")],
            CertificateProblem::Denied { reason: "Denied by Policy Module".to_owned() },
        ),
        (
            "refused, and so was the server's own key",
            vec![of_the_servers_key(denied("escrow")), denied("ours"), of_the_servers_key(denied("escrow"))],
            CertificateProblem::Denied { reason: "ours".to_owned() },
        ),
        (
            "an error beside a certificate",
            vec![IssuedCertificate { error: Some("pending".to_owned()), ..answer(bag) }],
            CertificateProblem::Denied { reason: "pending".to_owned() },
        ),
    ];
    for (case, answers, expected) in cases {
        let problem = certificate_for(RSA_REQUEST, &answers).unwrap_err();
        assert_eq!(problem, expected, "{case}");
        assert!(!problem.remedy().is_empty() && !problem.to_string().is_empty(), "{case}");
    }
    let several = certificate_for(RSA_REQUEST, &[answer(fixture!("bag-rsa-two.p7b"))]).unwrap_err();
    assert!(several.to_string().contains("2 different certificates"), "{several}");
    let cmc = certificate_for(RSA_REQUEST, &[answer(fixture!("cmc-other.p7b"))]).unwrap_err();
    assert!(cmc.to_string().contains("somebody else"), "{cmc}");
    for request in [&b""[..], b"\x30\x03\x02\x01\x01", RSA_CERTIFICATE] {
        assert_eq!(certificate_for(request, &[answer(bag)]), Err(CertificateProblem::Request));
    }
}

/// A certificate that is not to be read hides none that is: the parts of a message are read one by one.
#[test]
fn a_broken_certificate_beside_ours_is_passed_over() {
    let bag = fixture!("bag-rsa.p7b");
    let root_at = bag.windows(13).position(|part| part == b"\x06\x03\x55\x04\x03\x0c\x0fContos").unwrap();
    let mut broken = bag.to_vec();
    // In the name of the root an object identifier becomes a boolean of three bytes.
    broken[root_at] = 0x01;
    let ours = certificate_for(RSA_REQUEST, &[answer(&broken)]).unwrap();
    assert_eq!((ours.certificate.as_slice(), ours.others.len()), (RSA_CERTIFICATE, 1));
    // What is at stake is ours: a byte of its key changed makes it another key's.
    let key_at = bag.windows(40).position(|part| RSA_CERTIFICATE[400..440] == *part).unwrap();
    let mut changed = bag.to_vec();
    changed[key_at] ^= 1;
    assert!(certificate_for(RSA_REQUEST, &[answer(&changed)]).is_err());
}

/// Names of the server are text for a terminal: without control characters, and not without end.
#[test]
fn names_are_fit_to_show() {
    let bag = fixture!("bag-other.p7b").to_vec();
    let mut odd = bag.clone();
    for at in bag.windows(13).enumerate().filter(|(_, part)| *part == b"somebody else").map(|(at, _)| at) {
        odd[at..at + 5].copy_from_slice(b"\x1b[31m");
    }
    let problem = certificate_for(RSA_REQUEST, &[answer(&odd)]).unwrap_err().to_string();
    assert!(!problem.contains(char::is_control) && problem.contains("dy else"), "{problem}");
    let many = vec!["x".to_owned(); 20];
    assert_eq!(Subjects(many).to_string(), r#""x", "x", "x", "x" and 16 more"#);
    assert_eq!(Subjects(vec!["x".to_owned(); 5]).to_string(), r#""x", "x", "x", "x" and 1 more"#);
}

/// Null and no parameters at all are the same RSA key; of an elliptic curve the parameters are the curve.
#[test]
fn keys_that_two_programs_write_differently() {
    let info = |request: &[u8]| CertReq::from_der(request).unwrap().info.public_key;
    let mut bare = info(RSA_REQUEST);
    assert!(bare.algorithm.parameters.take().is_some());
    assert!(CertifiedKey::of(&bare) == CertifiedKey::of(&info(RSA_REQUEST)));
    let mut no_curve = info(P256_REQUEST);
    no_curve.algorithm.parameters = None;
    assert!(CertifiedKey::of(&no_curve) != CertifiedKey::of(&info(P256_REQUEST)));
    assert!(CertifiedKey::of(&info(P384_REQUEST)) != CertifiedKey::of(&info(P256_REQUEST)));
}
