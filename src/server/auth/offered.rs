//! What a server offers with a 401: the names of its schemes (RFC 9110 §11.6.1).

use std::fmt;

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// More schemes than any server has, and the longest name that is shown: the text is untrusted.
const MOST: usize = 8;
const LONGEST: usize = 32;

/// The schemes of all `WWW-Authenticate` headers, each once, in the server's order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Offered(Vec<String>);

impl Offered {
    /// Reads them; what is no challenge is passed over.
    pub(in crate::server) fn of(headers: &HeaderMap) -> Self {
        let mut schemes = Self::default();
        for value in headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()) {
            elements(value).filter_map(scheme).for_each(|name| schemes.add(name));
        }
        schemes
    }

    /// The names of the schemes.
    #[must_use]
    pub fn schemes(&self) -> &[String] {
        &self.0
    }

    /// Whether the server names schemes, and not this one.
    #[must_use]
    pub fn lacks(&self, scheme: &str) -> bool {
        !self.0.is_empty() && !self.0.iter().any(|offered| offered.eq_ignore_ascii_case(scheme))
    }

    fn add(&mut self, name: &str) {
        if self.0.len() < MOST && !self.0.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            self.0.push(name.to_owned());
        }
    }
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&self.0.join(", ")),
        }
    }
}

/// The elements of a list, split at commas that are not quoted.
fn elements(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |character| {
        let in_quotes = quoted;
        match character {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' => quoted = !in_quotes,
            _ => {}
        }
        character == ',' && !in_quotes
    })
}

/// The scheme that an element begins with; `None` for a further parameter of the challenge before.
fn scheme(element: &str) -> Option<&str> {
    let element = element.trim();
    let end = element.find([' ', '\t', '=']).unwrap_or(element.len());
    let (name, rest) = element.split_at(end);
    let is_name = !name.is_empty()
        && name.len() <= LONGEST
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_name && !rest.trim_start().starts_with('=')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Offered::of(&headers).to_string()
    }

    #[test]
    fn schemes_are_told_from_their_parameters() {
        for (values, expected) in [
            (&[][..], "none"),
            (&["Negotiate", "NTLM"], "Negotiate, NTLM"),
            (&["Negotiate, NTLM"], "Negotiate, NTLM"),
            (&["Negotiate oYG3MIG0==", "bearer", "Bearer realm=\"x\""], "Negotiate, bearer"),
            (&["Bearer realm=\"a, Basic\", error=\"x\" , scope = y, NTLM"], "Bearer, NTLM"),
            (&["Bearer realm=\"\\\", Basic\", Digest"], "Bearer, Digest"),
            (&["", " , ", "=x", "b%d"], "none"),
            (&["Bearer\u{e4}"], "none"),
        ] {
            assert_eq!(offered(values), expected, "{values:?}");
        }
        assert_eq!(offered(&[&"x".repeat(200)]), "none");
        let many: Vec<String> = (0..100).map(|number| format!("S{number}")).collect();
        assert_eq!(offered(&[&many.join(",")]), "S0, S1, S2, S3, S4, S5, S6, S7");
    }

    #[test]
    fn a_server_that_names_no_scheme_lacks_none() {
        assert!(!Offered::default().lacks("Bearer"));
        assert!(Offered(vec!["NTLM".to_owned()]).lacks("Bearer"));
        assert!(!Offered(vec!["BEARER".to_owned()]).lacks("Bearer"));
    }
}
