//! The authorities that `server.ca_file` names, in the forms in which such files are handed out: PEM, DER, PKCS #7.

use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use thiserror::Error;

use super::certificate::{self, Certificate};
use crate::os::files::{Exposure, open_regular, refuse_writable};

/// More than any list of authorities has.
const MOST: usize = 4 * 1024 * 1024;

/// As much as a few of them have.
const USUAL: usize = 8 * 1024;

/// Why no TLS configuration could be made.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The file of the authority's certificate can't be read.
    #[error("{} can't be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file can't be used.
    #[error("{}: {problem}", .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: CaFileProblem,
    },
    /// Others can write to it, and decide whom we show tokens and PINs to.
    #[error("{} is not trusted", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: Exposure,
    },
    /// The library refused.
    #[error("TLS can't be set up")]
    Setup(#[source] rustls::Error),
}

/// What is wrong with a file of certificates, and what to do.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum CaFileProblem {
    /// UTF-16, as Windows' editors and shells write it.
    #[error("it is UTF-16 text: save it as UTF-8 or ASCII, or take the DER form")]
    Utf16,
    /// OpenSSL's form with auxiliary trust data.
    #[error(
        "block {number} is a TRUSTED CERTIFICATE, whose own rules of trust pinwright does not follow: write it anew with \
         `openssl x509 -in FILE -out ca.pem`"
    )]
    TrustRules {
        /// Counted from 1.
        number: usize,
    },
    /// The lines of PEM were joined.
    #[error("block {number} has its BEGIN line, content and END line on one line: put each on a line of its own")]
    OneLine {
        /// Counted from 1.
        number: usize,
    },
    /// No END line.
    #[error("block {number} has no END line: the file is cut short, copy it again")]
    NoEnd {
        /// Counted from 1.
        number: usize,
    },
    /// Not base64, or no certificate in it.
    #[error("block {number} is no certificate: take it out or copy it again")]
    BadBlock {
        /// Counted from 1.
        number: usize,
    },
    /// Neither PEM nor DER.
    #[error("it holds no certificate: PEM, DER or PKCS #7 (p7b) is needed")]
    NoCertificate,
    /// Certificates, but none that may be an anchor.
    #[error("{name:?} in it is no authority's certificate (CA:FALSE): take the one of the authority that issued it")]
    NoAuthority {
        /// The first one's common name.
        name: String,
    },
}

/// An authority that is trusted.
pub(super) struct Anchor {
    pub der: CertificateDer<'static>,
    pub certificate: Certificate,
}

/// The authorities in the file: certificates that say CA:TRUE, those of version 1 that are their own issuer, and a self-signed
/// one that is alone in it. Others are passed over, since a server's own certificate often lies beside its authority's.
pub(super) fn read(path: &Path) -> Result<Vec<Anchor>, TrustError> {
    let unreadable = |source| TrustError::Unreadable { path: path.to_owned(), source };
    let file = open_regular(path).map_err(unreadable)?;
    refuse_writable(&file, path).map_err(|source| TrustError::Exposed { path: path.to_owned(), source })?;
    // With room for most of them it is read at once and not in pieces.
    let mut content = Vec::with_capacity(USUAL);
    file.take(MOST as u64 + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() > MOST {
        return Err(unreadable(std::io::Error::other("it is larger than 4 MiB")));
    }
    of(&content).map_err(|problem| TrustError::CaFile { path: path.to_owned(), problem })
}

fn of(content: &[u8]) -> Result<Vec<Anchor>, CaFileProblem> {
    let all = certificates(content)?;
    let is_alone = all.len() == 1;
    let first = all.first().map(|anchor| anchor.certificate.name.clone()).ok_or(CaFileProblem::NoCertificate)?;
    let may_be_anchor = |anchor: &Anchor| match anchor.certificate.is_authority {
        Some(true) => true,
        None => anchor.certificate.is_self_issued(),
        Some(false) => is_alone && anchor.certificate.is_self_issued(),
    };
    let anchors: Vec<Anchor> = all.into_iter().filter(may_be_anchor).collect();
    if anchors.is_empty() { Err(CaFileProblem::NoAuthority { name: first }) } else { Ok(anchors) }
}

fn certificates(content: &[u8]) -> Result<Vec<Anchor>, CaFileProblem> {
    match content {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, b'-', ..] | [b'-', 0, ..] => Err(CaFileProblem::Utf16),
        [0x30, ..] => der(content).ok_or(CaFileProblem::NoCertificate),
        [0xEF, 0xBB, 0xBF, text @ ..] | text => pem(text),
    }
}

/// One certificate, or a PKCS #7 message of some.
fn der(bytes: &[u8]) -> Option<Vec<Anchor>> {
    match certificate::of_pkcs7(bytes) {
        Some(all) => all.iter().map(|one| anchor(one)).collect(),
        None => Some(vec![anchor(bytes)?]),
    }
}

fn anchor(der: &[u8]) -> Option<Anchor> {
    let certificate = Certificate::read(der)?;
    Some(Anchor { der: CertificateDer::from(der.to_vec()), certificate })
}

/// The blocks of a PEM text (RFC 7468); text between them, and blocks of other kinds, are passed over.
fn pem(text: &[u8]) -> Result<Vec<Anchor>, CaFileProblem> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().map(str::trim);
    let mut found = Vec::new();
    let mut number = 0;
    while let Some(line) = lines.next() {
        let Some(head) = line.strip_prefix("-----BEGIN ") else { continue };
        number += 1;
        let Some(label) = head.strip_suffix("-----").filter(|label| !label.contains("-----")) else {
            return Err(CaFileProblem::OneLine { number });
        };
        let mut base64 = String::new();
        loop {
            match lines.next() {
                None => return Err(CaFileProblem::NoEnd { number }),
                Some(line) if line.starts_with("-----END ") => break,
                Some(line) if line.starts_with("-----BEGIN ") => return Err(CaFileProblem::NoEnd { number }),
                Some(line) => base64.extend(line.split_whitespace()),
            }
        }
        match label {
            "TRUSTED CERTIFICATE" => return Err(CaFileProblem::TrustRules { number }),
            "CERTIFICATE" | "X509 CERTIFICATE" | "PKCS7" | "CMS" => {
                let all = STANDARD.decode(base64).ok().and_then(|bytes| der(&bytes));
                found.extend(all.ok_or(CaFileProblem::BadBlock { number })?);
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::testing;

    #[test]
    fn authorities_that_others_can_write_to_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        if !testing::open_to_others(file.path(), true) {
            return;
        }
        assert!(matches!(read(file.path()), Err(TrustError::Exposed { .. })));
        testing::open_to_others(file.path(), false);
        assert!(matches!(read(file.path()), Err(TrustError::CaFile { problem: CaFileProblem::NoCertificate, .. })));
    }
}
