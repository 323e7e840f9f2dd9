//! Certificates made at the start, good or wrong on purpose.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::StandInError;
use super::settings::{OwnCertificate, Settings, TlsKind};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The authority for clients to trust, and the server side unless it is plain HTTP.
pub(super) fn prepare(settings: &Settings) -> Result<(String, Option<Arc<ServerConfig>>), StandInError> {
    let (ca_pem, ca) = authority("pinwright stand-in CA")?;
    let signer = match settings.tls {
        TlsKind::PlainHttp => return Ok((ca_pem, None)),
        // The same name with another key: only the signature tells them apart.
        TlsKind::OtherAuthority => authority("pinwright stand-in CA")?.1,
        TlsKind::Good | TlsKind::ExpiredLeaf | TlsKind::WrongHost => ca,
    };
    let config = server_config(settings, &signer)?;
    Ok((ca_pem, Some(Arc::new(config))))
}

fn authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>), StandInError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, DAY * 700, DAY * 100);
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}

fn server_config(settings: &Settings, signer: &Issuer<'static, KeyPair>) -> Result<ServerConfig, StandInError> {
    let own = settings.certificate.clone().map_or_else(|| made(settings, signer), Ok)?;
    let chain = own.chain.into_iter().map(CertificateDer::from).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.key));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    if settings.http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
}

fn made(settings: &Settings, signer: &Issuer<'static, KeyPair>) -> Result<OwnCertificate, StandInError> {
    let names = match settings.tls {
        TlsKind::WrongHost => vec!["cm.contoso.com".to_owned()],
        _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
    };
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, DAY, DAY * 30);
    if settings.tls == TlsKind::ExpiredLeaf {
        params.not_before -= DAY * 400;
        params.not_after -= DAY * 400;
    }
    let leaf = params.signed_by(&key, signer)?;
    Ok(OwnCertificate { chain: vec![leaf.der().to_vec()], key: key.serialize_der() })
}

fn set_validity(params: &mut CertificateParams, before: Duration, after: Duration) {
    // Clocks before 1970 are not worth an error path.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = date_time_ymd(1970, 1, 1) + now;
    params.not_before = now - before;
    params.not_after = now + after;
}
