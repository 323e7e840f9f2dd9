//! What the judges say of a card that was enrolled.

use std::fs;

use support::openssl::{self, openssl};
use support::pcscd::Pcscd;

use super::site::Enrolled;
use crate::judge::{Verdict, command, run};

/// OpenSC's PKCS#11 module with the new PIN, which is in no argument.
fn pkcs11(pcscd: &Pcscd, enrolled: &Enrolled, arguments: &[&str]) -> Verdict {
    let mut command = command(pcscd, "pkcs11-tool");
    command.args(["--slot-index", "0", "--login", "--pin", "env:PIN"]).env("PIN", &enrolled.pin);
    run(command.args(arguments))
}

/// The request is signed with its own key, the certificate is for that key, and the authority's root vouches for it.
pub fn openssl_verifies_request_and_chain(enrolled: &Enrolled) {
    let requests = enrolled.installation.server.state().certificate_requests();
    assert_eq!(requests.len(), 1);
    let request = enrolled.file("request.der", &requests[0]);
    let verified = openssl(&["req", "-inform", "DER", "-in", &request, "-verify", "-noout"]);
    assert!(verified.contains("verify OK"), "{verified}");
    let [issued, authorities] = ["issued.pem", "authorities.pem"].map(|name| enrolled.path(name));
    let key = openssl(&["req", "-inform", "DER", "-in", &request, "-noout", "-pubkey"]);
    assert_eq!(key, fs::read_to_string(enrolled.path("issued.pub")).unwrap());
    openssl(&["verify", "-purpose", "sslclient", "-CAfile", &authorities, &issued]);
    let thumbprint = openssl(&["x509", "-in", &issued, "-noout", "-fingerprint", "-sha1"]).replace(':', "");
    let told = enrolled.told["certificates"][0]["thumbprint"].as_str().unwrap();
    let listed = enrolled.installation.server.state().change(|settings| settings.certificates[0].thumbprint.clone());
    assert!(thumbprint.trim().ends_with(told) && told == listed, "{thumbprint} {told} {listed}");
}

/// OpenSC finds one key and one certificate, and signs a file with the new PIN; OpenSSL verifies it under the certificate.
pub fn opensc_lists_and_signs(pcscd: &Pcscd, enrolled: &Enrolled) {
    let objects = pkcs11(pcscd, enrolled, &["--list-objects"]).accepted();
    for kind in ["Certificate Object", "Private Key Object", "Public Key Object"] {
        assert_eq!(objects.matches(kind).count(), 1, "{objects}");
    }
    let data = enrolled.file("data", "what is signed");
    let signature = enrolled.path("signature");
    let sign = ["--sign", "--id", enrolled.id, "-m", enrolled.keys.mechanism, "--signature-format", "openssl"];
    pkcs11(pcscd, enrolled, &[&sign[..], &["-i", &data, "-o", &signature]].concat()).accepted();
    let key = enrolled.path("issued.pub");
    let verify = ["dgst", "-sha256", "-verify", &key, "-signature", &signature, &data];
    openssl(&verify);
    enrolled.file("data", "something else");
    assert!(!openssl::run(&verify).0);
}

/// `pkcs11-tool --test`: all that OpenSC can do with the keys.
pub fn opensc_tests_the_keys(pcscd: &Pcscd, enrolled: &Enrolled) {
    let test = pkcs11(pcscd, enrolled, &["--test"]).text;
    // OpenSC asks these cards for no random bytes, or for too few seeds; all else it can do.
    let errors: Vec<_> = test.lines().map(str::trim).filter(|line| line.starts_with("ERR")).collect();
    let is_of_random = |line: &&str| line.contains("Random");
    assert!(errors.iter().all(is_of_random), "{test}");
    if enrolled.keys.is_rsa() {
        assert!(test.contains("SHA256-RSA-PKCS: OK"), "{test}");
    }
}

/// yubico-piv-tool takes the PIN, and has the card sign what it verifies itself.
pub fn yubico_verifies_and_tests(pcscd: &Pcscd, enrolled: &Enrolled) {
    let reader = &pcscd.readers()[0].name;
    let issued = enrolled.path("issued.pem");
    let yubico = |actions: &[&str]| {
        let mut command = command(pcscd, "yubico-piv-tool");
        run(command.args(["--reader", reader, "--pin", &enrolled.pin]).args(actions)).accepted()
    };
    yubico(&["--action", "verify-pin"]);
    let test = ["--action", "verify-pin", "--action", "test-signature", "--slot", "9a", "--hash", "SHA256"];
    let said = yubico(&[&test[..], &["--input", &issued]].concat());
    assert!(said.contains("Successful"), "{said}");
    let read = yubico(&["--action", "read-certificate", "--slot", "9a"]);
    assert!(read.contains(fs::read_to_string(&issued).unwrap().trim()), "{read}");
}

/// ykman lists the certificate.
pub fn ykman_lists(pcscd: &Pcscd, enrolled: &Enrolled) {
    let reader = &pcscd.readers()[0].name;
    let said = run(command(pcscd, "ykman").args(["--reader", reader, "piv", "info"])).accepted();
    let subject = enrolled.told["certificates"][0]["subject"].as_str().unwrap();
    let fingerprint = openssl(&["x509", "-in", &enrolled.path("issued.pem"), "-noout", "-fingerprint", "-sha256"]);
    let fingerprint = fingerprint.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    // Newer versions write the slot as `Slot 9A (AUTHENTICATION)`.
    assert!(said.to_lowercase().contains("slot 9a"), "{said}");
    assert!(said.contains(subject) && said.contains(&fingerprint), "{fingerprint}: {said}");
}
