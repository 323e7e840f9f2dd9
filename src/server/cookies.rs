//! The session cookies of one server (RFC 6265), for as long as the client lives. They are as good as a password: secret types,
//! sent to the host that has set them and over TLS alone, and forgotten when the server wants other credentials.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
use url::Url;

use crate::secret::SecretBytes;

/// More than any server sets for one session.
const MOST: usize = 32;

/// The longest name and value together (RFC 6265 §6.1).
const LONGEST: usize = 4096;

/// What has been set so far.
#[derive(Default)]
pub(super) struct Cookies(Mutex<Vec<Cookie>>);

struct Cookie {
    /// `name=value`.
    pair: SecretBytes,
    /// The length of the name.
    name: usize,
    path: String,
}

impl Cookie {
    fn name(&self) -> &[u8] {
        self.pair.expose().get(..self.name).unwrap_or_default()
    }

    /// RFC 6265 §5.1.4.
    fn is_for(&self, path: &str) -> bool {
        path.strip_prefix(&self.path)
            .is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'))
    }
}

impl Cookies {
    /// Keeps those of an answer. Its URL is of the one server that is asked; over plain HTTP none is kept.
    pub fn keep(&self, url: &Url, headers: &HeaderMap) {
        if url.scheme() != "https" {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for value in headers.get_all(SET_COOKIE) {
            let Some(set) = Set::read(value.as_bytes(), url) else { continue };
            kept.retain(|known| known.path != set.cookie.path || known.name() != set.cookie.name());
            if !set.is_over && kept.len() < MOST {
                kept.push(set.cookie);
            }
        }
    }

    /// The value of `Cookie` for a request, marked sensitive; `None` where there is none to send.
    pub fn header(&self, url: &Url) -> Option<HeaderValue> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = || kept.iter().filter(|cookie| url.scheme() == "https" && cookie.is_for(url.path()));
        let length: usize = own().map(|cookie| cookie.pair.expose().len() + 2).sum();
        let mut text = SecretBytes::with_capacity(length);
        for cookie in own() {
            let separator: &[u8] = if text.expose().is_empty() { b"" } else { b"; " };
            if !text.append(separator) || !text.append(cookie.pair.expose()) {
                return None;
            }
        }
        let mut header = HeaderValue::from_bytes(text.expose()).ok().filter(|header| !header.is_empty())?;
        header.set_sensitive(true);
        Some(header)
    }

    /// Forgets all: they may be another principal's than the one that signs in next.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// What one `Set-Cookie` asks for.
struct Set {
    cookie: Cookie,
    /// It is to be forgotten.
    is_over: bool,
}

impl Set {
    fn read(value: &[u8], url: &Url) -> Option<Self> {
        let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let pair = parts.next()?;
        let name = pair.iter().position(|byte| *byte == b'=').filter(|length| *length > 0 && pair.len() <= LONGEST)?;
        let mut path = default_path(url.path()).to_owned();
        let (mut expires, mut max_age) = (None, None);
        for part in parts.filter_map(|part| str::from_utf8(part).ok()) {
            let (attribute, text) = part.split_once('=').unwrap_or((part, ""));
            let text = text.trim();
            match attribute.trim().to_ascii_lowercase().as_str() {
                // For this host alone, whatever wider domain is asked for; another one's is none.
                "domain" if !is_domain_of(text, url) => return None,
                "path" if text.starts_with('/') => text.clone_into(&mut path),
                "max-age" => max_age = text.parse::<i64>().ok().map(|seconds| seconds <= 0),
                "expires" => expires = httpdate::parse_http_date(text).ok().map(|end| end <= SystemTime::now()),
                _ => {}
            }
        }
        // Max-Age wins (RFC 6265 §5.3). An end that is still to come is not waited for: the client ends with its job.
        let is_over = max_age.or(expires).unwrap_or_default();
        Some(Self { cookie: Cookie { pair: SecretBytes::copy_of(pair), name, path }, is_over })
    }
}

fn is_domain_of(domain: &str, url: &Url) -> bool {
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    let host = url.host_str().unwrap_or_default();
    domain.is_empty() || host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'))
}

/// The folder of a request's path.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &path[..end],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent to `to` after `from` has set these.
    fn sent(from: &str, set: &[&str], to: &str) -> Option<String> {
        let (cookies, mut headers) = (Cookies::default(), HeaderMap::new());
        for value in set {
            headers.append(SET_COOKIE, value.parse().unwrap());
        }
        cookies.keep(&from.parse().unwrap(), &headers);
        let header = cookies.header(&to.parse().unwrap())?;
        assert!(header.is_sensitive());
        Some(header.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_go_where_they_are_meant_to() {
        let from = "https://cm.contoso.com/cm/api/v1.0/requests";
        let to = "https://cm.contoso.com/cm/api/v1.0/smartcards?x=/";
        for (set, expected) in [
            (&["a=1; path=/; HttpOnly; Secure"][..], Some("a=1")),
            (&["a=1", "b=2=3; Path=/cm"], Some("a=1; b=2=3")),
            (&["a=1; path=/", "a=2; path=/"], Some("a=2")),
            (&["a=1; path=/", "a=; path=/; Max-Age=0"], None),
            (&["a=1; path=/", "a=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT"], None),
            (&["a=1; expires=Thu, 01 Jan 1970 00:00:00 GMT; max-age=60"], Some("a=1")),
            (&["a=1; path=/other"], None),
            (&["a=1; path=/c"], None),
            (&["a=1; domain=contoso.com; path=/"], Some("a=1")),
            (&["a=1; domain=other.com; path=/"], None),
            (&["a=1; domain=toso.com; path=/"], None),
            (&["=1", "nothing", ""], None),
        ] {
            assert_eq!(sent(from, set, to).as_deref(), expected, "{set:?}");
        }
    }

    #[test]
    fn nothing_is_kept_or_sent_over_plain_http() {
        let (plain, tls) = ("http://localhost/cm/x", "https://localhost/cm/x");
        assert_eq!(sent(plain, &["a=1; path=/"], tls), None);
        assert_eq!(sent(tls, &["a=1; path=/"], plain), None);
    }
}
