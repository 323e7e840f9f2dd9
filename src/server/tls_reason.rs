//! Why TLS with the server failed, with what a person can do about it.

use thiserror::Error;

use super::store_fault::StoreFault;
use super::verifier::Unacceptable;

pub(super) const LATE: &str = ", and asks for it only after the handshake, which can't be answered";

pub(super) const SHOW_CERTIFICATE: &str =
    "set `server.client_certificate_file`, and `server.client_key_file` or `server.client_key_credential`";

pub(super) const ASK_EARLY: &str = "have \"Negotiate Client Certificate\" switched on for the site's binding (`netsh http update sslcert … \
                         clientcertnegotiation=enable`), and set `server.client_certificate_file` and `server.client_key_file`";

/// Why TLS failed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum TlsReason {
    /// The chain ends in no trusted authority.
    #[error("the server's certificate is from an unknown authority")]
    UnknownAuthority,
    /// Past its end.
    #[error("the server's certificate has expired")]
    Expired,
    /// Before its start.
    #[error("the server's certificate is not valid yet")]
    NotYetValid,
    /// For another name.
    #[error("the server's certificate is for another host name")]
    WrongHost,
    /// Revoked.
    #[error("the server's certificate is revoked")]
    Revoked,
    /// Not for servers.
    #[error("the server's certificate is not made for servers (extended key usage)")]
    WrongPurpose,
    /// A fault of one certificate that has a name.
    #[error("{0}")]
    Unacceptable(Unacceptable),
    /// A fault that the certificate store of Windows has found.
    #[error(transparent)]
    Store(StoreFault),
    /// The server has ended the handshake since it found nothing that both sides take.
    #[error("the server found nothing that both sides take: cipher suite, curve or signature algorithm")]
    NothingInCommon,
    /// TLS 1.1 or older.
    #[error("the server speaks neither TLS 1.2 nor TLS 1.3")]
    OldVersion,
    /// The server wants a client certificate, and there is none.
    #[error("the server wants a client certificate")]
    NoClientCertificate,
    /// The server does not take our certificate.
    #[error("the server does not take the client certificate")]
    ClientCertificateRefused,
    /// The server asks for a certificate after the handshake.
    #[error("the server wants a client certificate{LATE}")]
    AskedTooLate,
    /// Any other fault of the certificate.
    #[error("the server's certificate is not acceptable")]
    BadCertificate,
    /// The server sent an alert, or something that is not TLS.
    #[error("the handshake failed")]
    Handshake,
}

impl TlsReason {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::UnknownAuthority => "set `server.ca_file` to the certificate of the authority that issued it",
            Self::Expired | Self::NotYetValid => {
                "check this machine's clock; if it is right, the server needs a new certificate"
            }
            Self::WrongHost => "use in `server.url` the host name that the certificate is made for",
            Self::Revoked | Self::BadCertificate => "have the server's certificate replaced",
            Self::WrongPurpose => "have the server given a certificate whose extended key usage has serverAuth",
            Self::Unacceptable(Unacceptable::IsAuthority { .. }) => {
                "have the server given a certificate that says CA:FALSE, and set `server.ca_file` to its issuer's"
            }
            Self::Unacceptable(Unacceptable::ShortKey { .. }) => {
                "have it replaced by one with an RSA key of 2048 bits or more, or on P-256 or P-384"
            }
            Self::Unacceptable(Unacceptable::Curve { .. }) => {
                "have it replaced by one on P-256 or P-384, or with an RSA key of 2048 bits or more"
            }
            Self::Unacceptable(Unacceptable::WeakHash { .. } | Unacceptable::EcdsaSha512 { .. }) => {
                "have it issued anew, signed with SHA-256 or SHA-384"
            }
            Self::Store(fault) => fault.remedy(),
            Self::NothingInCommon => {
                "have TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM, switched on at the server (Windows Server 2012 has only CBC with \
                 RSA certificates); if it has that, its certificate needs an RSA key of 2048 bits or more, or P-256 or P-384"
            }
            Self::NoClientCertificate => SHOW_CERTIFICATE,
            Self::ClientCertificateRefused => {
                "have the server trust the authority of `server.client_certificate_file` (intermediate certificates go into that file, \
                 too), or take a certificate that is made for clients"
            }
            Self::AskedTooLate => ASK_EARLY,
            Self::OldVersion => "have TLS 1.2 or TLS 1.3 switched on at the server",
            Self::Handshake => {
                "check that `server.url` has the right port, and that the server speaks TLS 1.2 or later"
            }
        }
    }
}
