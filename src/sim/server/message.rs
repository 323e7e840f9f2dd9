//! The messages that certificates are sent in: certificates alone, and a full response of CMC (RFC 5272 §3.2), both signed data (RFC 5652 §5).

use der::asn1::{Any, ObjectIdentifier, OctetString, Utf8StringRef};
use der::{Encode, Tag, TagNumber};

const DATA: &str = "1.2.840.113549.1.7.1";
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const PKI_RESPONSE: &str = "1.3.6.1.5.5.7.12.3";
const STATUS_INFO: &str = "1.3.6.1.5.5.7.7.1";

/// Certificates alone: the signed data is nothing, and nobody has signed it.
pub(super) fn bag(certificates: &[&[u8]]) -> der::Result<Vec<u8>> {
    signed(1, sequence(&[oid(DATA)?])?, certificates)
}

/// The status "issued", and the certificates beside it.
pub(super) fn full_response(certificates: &[&[u8]]) -> der::Result<Vec<u8>> {
    let one = 1_u8.to_der()?;
    let text = Utf8StringRef::new("Issued")?.to_der()?;
    let status = sequence(&[0_u8.to_der()?, sequence(std::slice::from_ref(&one))?, text])?;
    let control = sequence(&[one, oid(STATUS_INFO)?, made(Tag::Set, &[status])?])?;
    let response = sequence(&[sequence(&[control])?, sequence(&[])?, sequence(&[])?])?;
    let content = made(context(0), &[OctetString::new(response)?.to_der()?])?;
    signed(3, sequence(&[oid(PKI_RESPONSE)?, content])?, certificates)
}

fn signed(version: u8, content: Vec<u8>, certificates: &[&[u8]]) -> der::Result<Vec<u8>> {
    let none = made(Tag::Set, &[])?;
    let certificates: Vec<Vec<u8>> = certificates.iter().map(|certificate| certificate.to_vec()).collect();
    let data = sequence(&[version.to_der()?, none.clone(), content, made(context(0), &certificates)?, none])?;
    sequence(&[oid(SIGNED_DATA)?, made(context(0), &[data])?])
}

fn oid(text: &str) -> der::Result<Vec<u8>> {
    ObjectIdentifier::new(text)?.to_der()
}

fn sequence(parts: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    made(Tag::Sequence, parts)
}

fn made(tag: Tag, parts: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    Any::new(tag, parts.concat())?.to_der()
}

fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}
