//! What a server asks for with a 401, and over which connection it does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Response;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::tls::TlsInfo;

use super::offered::Offered;

/// The longest token that is read: those of Kerberos with many groups have some 10,000 bytes.
const TOKEN_MAX: usize = 128 * 1024;

/// A 401.
#[derive(Debug, Default, Clone)]
pub struct Challenge {
    /// The schemes that the server offers.
    pub offered: Offered,
    /// What came with the scheme `Negotiate`.
    pub token: Option<Vec<u8>>,
    /// The server's certificate, in DER, where a sign-in is bound to it.
    pub certificate: Option<Vec<u8>>,
}

impl Challenge {
    /// Reads it.
    pub(in crate::server) fn of(response: &Response) -> Self {
        let certificate = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
        Self {
            offered: Offered::of(response.headers()),
            token: negotiate_token(response.headers()),
            certificate: certificate.map(<[u8]>::to_vec),
        }
    }
}

/// The token of the first `Negotiate` that has one, whichever of the headers it is in (RFC 4559 §4.1). What is no base64 is a token
/// that nobody understands: an empty one.
pub(in crate::server) fn negotiate_token(headers: &HeaderMap) -> Option<Vec<u8>> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).find_map(|element| {
        let (scheme, token) = element.trim().split_once([' ', '\t'])?;
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("Negotiate") || token.is_empty() || token.len() > TOKEN_MAX {
            return None;
        }
        Some(STANDARD.decode(token).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_in_any_header_and_case() {
        for (values, expected) in [
            (&[][..], None),
            (&["Negotiate"][..], None),
            (&["Negotiate "], None),
            (&["NTLM TlRM", "Negotiate AQID"], Some(vec![1, 2, 3])),
            (&["Basic realm=\"x\", nEGOTIATE \t AQIDBA=="], Some(vec![1, 2, 3, 4])),
            (&["Negotiate ???"], Some(vec![])),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
            }
            assert_eq!(negotiate_token(&headers), expected, "{values:?}");
        }
    }
}
