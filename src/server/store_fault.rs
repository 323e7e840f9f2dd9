//! Why the certificate store of Windows refuses a certificate, by its number: the library knows a few of them and hands the others on as
//! text.

use thiserror::Error;

/// A fault that the store has found in the server's certificate, or on the way to its authority.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// `CRYPT_E_NO_REVOCATION_CHECK`, `CERT_E_REVOCATION_FAILURE`.
    #[error("the system could not find out whether the server's certificate is revoked (0x{0:08X})")]
    RevocationUnknown(u32),
    /// `CRYPT_E_REVOCATION_OFFLINE`.
    #[error("the list of revoked certificates could not be fetched (0x80092013)")]
    RevocationOffline,
    /// `CRYPT_E_REVOKED`, `CERT_E_REVOKED`.
    #[error("the server's certificate is revoked (0x{0:08X})")]
    Revoked(u32),
    /// `CERT_E_CHAINING`, `TRUST_E_NOSIGNATURE` of an issuer.
    #[error("the system finds no way from the server's certificate to an authority that it trusts (0x800B010A)")]
    NoChain,
    /// `CERT_E_UNTRUSTEDROOT`, `CERT_E_UNTRUSTEDTESTROOT`, `CERT_E_UNTRUSTEDCA`.
    #[error("the system does not trust the authority of the server's certificate (0x{0:08X})")]
    Untrusted(u32),
    /// `TRUST_E_EXPLICIT_DISTRUST`.
    #[error(
        "the certificate of the server, or one above it, is among those that this machine was told to distrust (0x800B0111)"
    )]
    Distrusted,
    /// `CERT_E_EXPIRED`, `CERT_E_VALIDITYPERIODNESTING`.
    #[error("the server's certificate, or one above it, is not valid now (0x{0:08X})")]
    NotNow(u32),
    /// `TRUST_E_BASIC_CONSTRAINTS`, `CERT_E_PATHLENCONST`, `CERT_E_ROLE`.
    #[error("a certificate above the server's is none of an authority (0x{0:08X})")]
    NoAuthority(u32),
    /// `TRUST_E_CERT_SIGNATURE`.
    #[error("the signature of the server's certificate, or of one above it, is wrong (0x80096004)")]
    Signature,
    /// `CERT_E_CRITICAL`, `CERT_E_INVALID_POLICY`, `CERT_E_PURPOSE`.
    #[error("the server's certificate, or one above it, is made for something else (0x{0:08X})")]
    Purpose(u32),
    /// Another number.
    #[error("the system's certificate store refuses the server's certificate (0x{0:08X})")]
    Other(u32),
}

impl StoreFault {
    /// `CERT_E_UNTRUSTEDROOT`, which the library knows and hands on without its number.
    pub(super) const UNTRUSTED_ROOT: u32 = 0x800B_0109;

    /// The fault that this number stands for (HRESULT).
    #[must_use]
    pub fn of_number(number: u32) -> Self {
        match number {
            0x8009_2012 | 0x800B_010E => Self::RevocationUnknown(number),
            0x8009_2013 => Self::RevocationOffline,
            0x8009_2010 | 0x800B_010C => Self::Revoked(number),
            0x800B_010A => Self::NoChain,
            0x800B_0109 | 0x800B_010D | 0x800B_0112 => Self::Untrusted(number),
            0x800B_0111 => Self::Distrusted,
            0x800B_0101 | 0x800B_0102 => Self::NotNow(number),
            0x8009_6019 | 0x800B_0103 | 0x800B_0104 => Self::NoAuthority(number),
            0x8009_6004 => Self::Signature,
            0x800B_0105 | 0x800B_0106 | 0x800B_0113 => Self::Purpose(number),
            _ => Self::Other(number),
        }
    }

    /// The fault in what the library says of it: it ends with the number, as the standard library writes it.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once("(os error ")?;
        let number: i64 = rest.split_once(')')?.0.parse().ok()?;
        // Written as a signed number or not.
        u32::try_from(number).or_else(|_| i32::try_from(number).map(i32::cast_unsigned)).ok().map(Self::of_number)
    }

    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::RevocationUnknown(_) | Self::RevocationOffline => {
                "let this machine reach the addresses in the certificate's CRL distribution points and authority information access \
                 (`certutil -verify -urlfetch server.cer` tries them), by the machine's own proxy where it has one (`netsh winhttp show \
                 proxy`); or set `server.ca_file`, by which no revocation is looked for"
            }
            Self::NoChain => {
                "have the server send the certificates between its own and its authority's, and see that the authority is among the \
                 machine's trusted roots (`certutil -verify -urlfetch server.cer`); or set `server.ca_file` to it"
            }
            Self::Untrusted(_) => {
                "have the authority put among the machine's trusted roots (group policy, or `certutil -addstore Root ca.cer` as an \
                 administrator), or set `server.ca_file` to its certificate"
            }
            Self::Distrusted => "ask who looks after this machine why that is so (`certutil -store Disallowed`)",
            Self::NotNow(_) => "check this machine's clock; if it is right, the server needs a new certificate",
            Self::Revoked(_) => {
                "have the server's certificate replaced (`certutil -verify -urlfetch server.cer` says in which list it is)"
            }
            Self::NoAuthority(_) | Self::Signature | Self::Purpose(_) => {
                "have the server's certificate replaced (`certutil -verify server.cer` says which one of its chain is meant)"
            }
            Self::Other(_) => "see what `certutil -verify -urlfetch server.cer` says of the server's certificate",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stores_numbers_are_told_in_words() {
        for (text, said) in [
            ("The revocation process could not continue. (os error -2146762482)", "find out whether"),
            ("(os error -2146885614)", "find out whether"),
            ("(os error -2146885613)", "list of revoked certificates could not be fetched"),
            ("(os error -2146762484)", "is revoked (0x800B010C)"),
            ("(os error -2146885616)", "is revoked (0x80092010)"),
            ("(os error -2146762487)", "does not trust the authority"),
            ("(os error -2146762495)", "not valid now"),
            ("(os error 2148204801)", "not valid now"),
            ("error 317 (os error -2146762486)", "no way from"),
            ("(os error -2146869244)", "signature"),
            ("(os error -2146762479)", "told to distrust"),
            ("(os error -2146869223)", "none of an authority"),
            ("(os error -2146762477)", "something else"),
            ("(os error -2146762496)", "refuses the server's certificate (0x800B0100)"),
        ] {
            let fault = StoreFault::of_text(text).unwrap();
            assert!(fault.to_string().contains(said), "{text}: {fault}");
            assert!(!fault.remedy().is_empty() && !fault.remedy().ends_with('.'), "{fault}");
        }
        let told = |number: u32| StoreFault::of_number(number).to_string();
        for number in [0x8009_2012, 0x8009_2013, 0x800B_010E, 0x800B_0109, 0x800B_0101, 0x800B_0111] {
            assert!(told(number).contains(&format!("0x{number:08X}")), "{}", told(number));
        }
        for text in ["", "no number", "(os error x)", "(os error 99999999999999)"] {
            assert_eq!(StoreFault::of_text(text), None, "{text}");
        }
    }
}
