//! A look at the server from outside, for who wants to know why nothing works: what an answer shows, whatever it means for a call.
//!
//! Nothing here asks for a secret, and nothing shows credentials but [`Client::profile_templates`] and its like, which are calls of
//! the API.

use std::time::{Duration, SystemTime};

use reqwest::Version;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, VIA};

use super::auth::Offered;
use super::call::{Call, Repeat};
use super::client::Client;
use super::detail::printable;
use super::error::ServerProblem;

/// What is asked without credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `profiletemplates`, which every server has.
    Api,
    /// `profiles`, which every server has as well.
    OtherRoute,
    /// The virtual folder itself, which is no part of the API.
    Folder,
}

/// What an answer shows.
#[derive(Debug, Clone)]
pub struct Look {
    /// The status.
    pub status: u16,
    /// The version of HTTP.
    pub version: &'static str,
    /// The server's clock, and ours at the middle of the exchange.
    pub clocks: Option<Clocks>,
    /// The kinds of sign-in that it offers.
    pub offered: Offered,
    /// What it says of proxies on the way (RFC 9110 §7.6.3); untrusted text.
    pub via: Option<String>,
    /// It is a web page.
    pub is_page: bool,
}

/// The server's clock and ours at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    /// Whole seconds.
    pub server: SystemTime,
    /// In the middle between question and answer.
    pub here: SystemTime,
    /// How long the exchange took: the answer is no more exact than that.
    pub within: Duration,
}

/// A certificate as the server shows it. All texts are untrusted.
#[derive(Debug, Clone)]
pub struct ShownCertificate {
    /// Its common name.
    pub name: String,
    /// Its issuer's.
    pub issuer: String,
    /// Its beginning and end.
    pub validity: Option<(SystemTime, SystemTime)>,
    /// The hosts that it is made for.
    pub hosts: Vec<String>,
    /// It names itself as its issuer.
    pub is_self_issued: bool,
}

impl Client {
    /// Asks without credentials, once.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn look(&self, place: Target) -> Result<Look, ServerProblem> {
        let (name, url) = match place {
            Target::Api => ("GET profiletemplates", self.url(&route("profiletemplates"))),
            Target::OtherRoute => ("GET profiles", self.url(&route("profiles"))),
            Target::Folder => ("GET the virtual folder", self.http.base().clone()),
        };
        let before = SystemTime::now();
        let response = self.http.bare(name, &url).await?;
        let within = before.elapsed().unwrap_or_default();
        let headers = response.headers();
        Ok(Look {
            status: response.status().as_u16(),
            version: match response.version() {
                Version::HTTP_2 => "HTTP/2",
                _ => "HTTP/1.1",
            },
            clocks: text(headers, &DATE).and_then(|date| httpdate::parse_http_date(date).ok()).map(|server| Clocks {
                server,
                here: before + within / 2,
                within,
            }),
            offered: Offered::of(headers),
            via: text(headers, &VIA).map(printable),
            is_page: text(headers, &CONTENT_TYPE).is_some_and(|kind| kind.to_ascii_lowercase().contains("html")),
        })
    }

    /// The certificates that the server has shown in the last handshake, its own first, in the order in which they came; of a client
    /// that notes them ([`Client::noting`]).
    #[must_use]
    pub fn chain(&self) -> Vec<ShownCertificate> {
        let host = self.http.base().host_str().unwrap_or_default().trim_matches(['[', ']']);
        let chain = self.shown.of(host).into_iter();
        chain
            .map(|one| ShownCertificate {
                is_self_issued: one.is_self_issued(),
                name: one.name,
                issuer: one.issuer_name,
                validity: one.validity,
                hosts: one.hosts,
            })
            .collect()
    }
}

fn route(name: &str) -> Call {
    Call::get("a route of the API", Repeat::Safe, &[name])
}

fn text<'a>(headers: &'a HeaderMap, name: &reqwest::header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
