//! The certification authority behind the stand-in: a root, an authority below it, and certificates that these issue.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    OtherNameValue, SanType, SerialNumber, date_time_ymd, string::Ia5String,
};
use ring::digest;

use super::certificate_request::CertificateRequest;
use super::message;
use super::settings::CertificateForm;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Smart card logon, and the name of a user as Windows has it.
const SMARTCARD_LOGON: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 2];
const USER_PRINCIPAL_NAME: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 3];

/// A root and an authority below it.
pub(super) struct Authority {
    root: rcgen::Certificate,
    issuing: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
    issued: u64,
}

/// One certificate that was issued.
pub(super) struct Issued {
    /// The certificate in DER.
    pub(super) der: Vec<u8>,
    /// Its serial number: upper-case hex.
    pub(super) serial_number: String,
    /// Its SHA-1 hash: upper-case hex.
    pub(super) thumbprint: String,
}

impl Authority {
    pub(super) fn new() -> Result<Self, rcgen::Error> {
        let (root_key, issuing_key) = (KeyPair::generate()?, KeyPair::generate()?);
        let root_params = authority("Contoso Root CA", 1);
        let root = root_params.self_signed(&root_key)?;
        let mut issuing_params = authority("Contoso Issuing CA", 0);
        issuing_params.use_authority_key_identifier_extension = true;
        let issuing = issuing_params.signed_by(&issuing_key, &Issuer::new(root_params, root_key))?;
        Ok(Self { root, issuing, issuer: Issuer::new(issuing_params, issuing_key), issued: 0 })
    }

    /// Both authorities, the root first, as PEM.
    pub(super) fn pem(&self) -> String {
        format!("{}{}", self.root.pem(), self.issuing.pem())
    }

    /// A certificate for the key of a request, for this user, of a kind that logs on with a smart card. The subject is the
    /// authority's choice, as the samples have it.
    pub(super) fn issue(&mut self, request: &CertificateRequest, user: &str) -> Result<Issued, rcgen::Error> {
        self.issued += 1;
        let serial_number = [&[0x1B, 0, 0, 0xB0][..], &self.issued.to_be_bytes()].concat();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        params.serial_number = Some(SerialNumber::from_slice(&serial_number));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::Other(SMARTCARD_LOGON.to_vec())];
        let principal = OtherNameValue::Utf8String(format!("{user}@contoso.com"));
        params.subject_alt_names = vec![
            SanType::OtherName((USER_PRINCIPAL_NAME.to_vec(), principal)),
            SanType::Rfc822Name(Ia5String::try_from(format!("{user}@contoso.com"))?),
        ];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, DAY, DAY * 365);
        let der = params.signed_by(request, &self.issuer)?.der().to_vec();
        let thumbprint = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &der);
        let (serial_number, thumbprint) = (hex::encode_upper(serial_number), hex::encode_upper(thumbprint));
        Ok(Issued { der, serial_number, thumbprint })
    }

    /// The message that a certificate is sent in: root, certificate and issuing authority, as the sample has them, each so many
    /// places further.
    pub(super) fn message(&self, certificate: &[u8], form: CertificateForm, turned: usize) -> Option<Vec<u8>> {
        let mut certificates = [self.root.der().as_ref(), certificate, self.issuing.der().as_ref()];
        let places = turned % certificates.len();
        certificates.rotate_right(places);
        match form {
            CertificateForm::Cmc => message::full_response(&certificates),
            CertificateForm::Bag => message::bag(&certificates),
        }
        .ok()
    }
}

fn authority(name: &str, below: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, DAY * 700, DAY * 1000);
    params
}

fn set_validity(params: &mut CertificateParams, before: Duration, after: Duration) {
    // Clocks before 1970 are not worth an error path.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = date_time_ymd(1970, 1, 1) + now;
    params.not_before = now - before;
    params.not_after = now + after;
}
