//! The connection to AD FS: TLS with the server's rules, no redirects, and a client that is gone after each answer.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use reqwest::Response;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, DATE, HeaderMap, HeaderValue,
};
use url::Url;
use zeroize::Zeroizing;

use super::auth::{AdfsError, AdfsSettings, Challenge, Page, Pages, Paging, Reply, Replying, Transport};
use super::body;
use super::connect;
use super::cookies::Cookies;
use super::error::ServerProblem;
use super::failed;
use super::proxy::Proxy;
use super::tls::{self, TlsError};
use crate::secret::SecretBytes;

/// How much of a page is looked at: the forms of AD FS stand behind some 20 KiB of style and script.
const PAGE_START: usize = 256 * 1024;

/// How much of a page is read.
const PAGE_MOST: usize = 1024 * 1024;

/// One AD FS and the way to it.
#[derive(Debug, Clone)]
pub struct Sts {
    /// `https://sts.contoso.com/adfs`.
    pub authority: Url,
    /// The authorities to trust; the system's store where missing.
    pub ca_file: Option<PathBuf>,
    /// The proxy on the way.
    pub proxy: Option<Proxy>,
    /// The bound on one question.
    pub timeout: Duration,
}

impl Sts {
    fn unreachable(&self, problem: ServerProblem) -> AdfsError {
        // The words are those about the server; the keys are AD FS's own.
        let remedy = problem.remedy().replace("server.url", "server.adfs_url");
        let remedy = remedy.replace("server.ca_file", "server.adfs_ca_file");
        AdfsError::Unreachable { host: self.host(), source: Box::new(problem), remedy }
    }

    fn untrusted(&self, error: TlsError) -> AdfsError {
        let remedy = "check `server.adfs_ca_file` or `server.ca_file`".to_owned();
        AdfsError::Unreachable { host: self.host(), source: Box::new(error), remedy }
    }

    /// `shows_certificate`: a sign-in is bound to the server's certificate.
    fn client(&self, shows_certificate: bool) -> Result<reqwest::Client, AdfsError> {
        let tls = tls::configuration(self.ca_file.as_deref(), None).map_err(|error| self.untrusted(error))?;
        let is_plain = self.authority.scheme() == "http";
        let versions = vec![b"http/1.1".to_vec()];
        let client = connect::client(&tls.client, versions, is_plain, self.proxy.as_ref(), shows_certificate);
        client.map_err(|error| self.unreachable(error.into()))
    }

    async fn send(&self, endpoint: &'static str, form: Zeroizing<String>) -> Result<Reply, AdfsError> {
        let client = self.client(false)?;
        let url = AdfsSettings::endpoint(&self.authority, endpoint);
        tracing::debug!(%url, "POST to AD FS");
        let request = client
            .post(url)
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, "identity")
            .header(CACHE_CONTROL, "no-store")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.as_bytes().to_vec());
        drop(form);
        let proxy = self.proxy.as_ref().map(|proxy| &proxy.url);
        let response = request.send().await.map_err(|error| self.unreachable(failed::problem(error, proxy)))?;
        let status = response.status().as_u16();
        tracing::debug!(status, "answer of AD FS");
        let ahead = ahead(response.headers());
        let body = body::read::<SecretBytes>(response).await.map_err(|problem| self.unreachable(problem))?;
        Ok(Reply { status, body, ahead })
    }

    async fn page(&self, browser: &Browser, url: &Url, authorization: Option<HeaderValue>) -> Result<Page, AdfsError> {
        let mut request =
            browser.client.get(url.clone()).header(ACCEPT, "text/html").header(ACCEPT_ENCODING, "identity");
        // The query has what is nobody's business.
        tracing::debug!(path = url.path(), has_ticket = authorization.is_some(), "GET from AD FS");
        if let Some(cookies) = browser.cookies.header(url) {
            request = request.header(COOKIE, cookies);
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let proxy = self.proxy.as_ref().map(|proxy| &proxy.url);
        let response = request.send().await.map_err(|error| self.unreachable(failed::problem(error, proxy)))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        tracing::debug!(status, "page of AD FS");
        browser.cookies.keep(url, &headers);
        let challenge = Challenge::of(&response);
        let start = start(response).await;
        Ok(Page { status, headers, challenge, start })
    }
}

/// By how many seconds our clock is ahead of the one of an answer (RFC 9110 §6.6.1).
fn ahead(headers: &HeaderMap) -> Option<i64> {
    let theirs = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    Some(match SystemTime::now().duration_since(theirs) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => -seconds(behind.duration()),
    })
}

/// The beginning of a page: enough to see what it is. The rest is read, so that the connection can be used again.
async fn start(mut response: Response) -> SecretBytes {
    let (mut start, mut read) = (SecretBytes::with_capacity(PAGE_START), 0);
    while let Ok(Some(piece)) = response.chunk().await {
        read += piece.len();
        let room = PAGE_START - start.len();
        let _ = start.append(piece.get(..room.min(piece.len())).unwrap_or_default());
        if read > PAGE_MOST {
            break;
        }
    }
    start
}

/// The pages of AD FS as one browser without a window asks for them.
struct Browser {
    sts: Sts,
    client: reqwest::Client,
    cookies: Cookies,
}

impl Pages for Browser {
    fn get<'a>(&'a mut self, url: &'a Url, authorization: Option<HeaderValue>) -> Paging<'a> {
        Box::pin(async move {
            match tokio::time::timeout(self.sts.timeout, self.sts.page(self, url, authorization)).await {
                Ok(page) => page,
                Err(_) => Err(AdfsError::Silent { after: self.sts.timeout }),
            }
        })
    }
}

impl Transport for Sts {
    fn post(&self, endpoint: &'static str, form: Zeroizing<String>) -> Replying<'_> {
        Box::pin(async move {
            match tokio::time::timeout(self.timeout, self.send(endpoint, form)).await {
                Ok(reply) => reply,
                Err(_) => Err(AdfsError::Silent { after: self.timeout }),
            }
        })
    }

    fn pages(&self) -> Result<Box<dyn Pages>, AdfsError> {
        Ok(Box::new(Browser { client: self.client(true)?, sts: self.clone(), cookies: Cookies::default() }))
    }

    fn host(&self) -> String {
        self.authority.host_str().unwrap_or_default().to_owned()
    }
}
