//! The connection to AD FS: TLS with the server's rules, no redirects, and a client that is gone after each answer.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE};
use url::Url;
use zeroize::Zeroizing;

use super::auth::{AdfsError, AdfsSettings, Reply, Replying, Transport};
use super::body;
use super::connect;
use super::error::ServerProblem;
use super::failed;
use super::proxy::Proxy;
use super::tls::{self, TlsError};
use crate::secret::SecretBytes;

/// One AD FS and the way to it.
#[derive(Debug)]
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

    async fn send(&self, endpoint: &'static str, form: Zeroizing<String>) -> Result<Reply, AdfsError> {
        let tls = tls::configuration(self.ca_file.as_deref(), None).map_err(|error| self.untrusted(error))?;
        let is_plain = self.authority.scheme() == "http";
        let versions = vec![b"http/1.1".to_vec()];
        let client = connect::client(&tls.client, versions, is_plain, self.proxy.as_ref(), false);
        let client = client.map_err(|error| self.unreachable(error.into()))?;
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
        let body = body::read::<SecretBytes>(response).await.map_err(|problem| self.unreachable(problem))?;
        Ok(Reply { status, body })
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

    fn host(&self) -> String {
        self.authority.host_str().unwrap_or_default().to_owned()
    }
}
