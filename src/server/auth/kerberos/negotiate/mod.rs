//! Sign-in with Kerberos over `Negotiate` (RFC 4559): a fresh token for each request, and a proof of the server with each success.
//!
//! The first request of all goes without a token: from its 401 come the schemes that are offered and the certificate that the sign-in is
//! bound to. All later ones carry a token in advance. The library waits for KDCs, so it is called on threads of its own.

mod bindings;
mod library;
mod mechanism;
mod reasons;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderValue};

use self::library::Kerberos;
use self::mechanism::{Context, LibraryError, Mechanism, Progress, Request};
use super::error::{KerberosError, Sought};
use super::keytab;
use crate::os::kerberos::{LIBRARY, Library, Tickets, tickets};
use crate::secret::SecretBytes;
use crate::server::auth::challenge::{Challenge, negotiate_token};
use crate::server::auth::sign_in::{Awaited, Next, SignIn, SignInError, Stop};
use crate::server::auth::token::TokenSource;

/// How a token of NTLM begins, raw or inside of SPNEGO.
const NTLM_TOKEN: &[u8] = b"NTLMSSP\0";

/// NTLM as SPNEGO names it (1.3.6.1.4.1.311.2.2.10).
const NTLM_MECHANISM: &[u8] = &[0x2B, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10];

/// Whether the sign-in is bound to the TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelBindings {
    /// To the server's certificate (`tls-server-end-point`, RFC 5929 §4), where there is TLS.
    Auto,
    /// Not: for a proxy on the way that opens TLS.
    Off,
}

/// Kerberos for one server. Copies share what is learned of it.
#[derive(Debug, Clone)]
pub struct Negotiate {
    service: String,
    principal: Option<String>,
    bindings: ChannelBindings,
    keytab: Option<TokenSource>,
    mechanism: Arc<dyn Mechanism>,
    learned: Arc<Mutex<Option<Learned>>>,
    /// The end of the ticket for the server that has signed us in.
    ticket: Arc<Mutex<Option<SystemTime>>>,
}

/// What the server's first 401 has told.
#[derive(Debug, Clone)]
struct Learned {
    certificate: Option<Vec<u8>>,
}

impl Negotiate {
    /// `service` is the server's principal: `HTTP/cm.contoso.com`, with its realm behind an `@` where it is another one than the name
    /// belongs to. `principal` is ours, where the ticket cache has several.
    #[must_use]
    pub fn new(service: &str, principal: Option<String>, bindings: ChannelBindings) -> Self {
        Self {
            service: service.to_owned(),
            principal,
            bindings,
            keytab: None,
            mechanism: Arc::new(Kerberos),
            learned: Arc::default(),
            ticket: Arc::default(),
        }
    }

    pub(in crate::server::auth) fn with_keytab(self, keytab: TokenSource, principal: Option<&str>) -> Self {
        let principal = principal.map(str::to_owned);
        Self { keytab: Some(keytab), principal, learned: Arc::default(), ticket: Arc::default(), ..self }
    }

    /// The keytab, where it is one that signs in.
    #[must_use]
    pub fn keytab(&self) -> Option<&TokenSource> {
        self.keytab.as_ref()
    }

    /// Until when the ticket for the server is valid; `None` before one has signed us in.
    #[must_use]
    pub fn ticket_until(&self) -> Option<SystemTime> {
        *self.ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose tickets there are to sign in with, and how long they last. With a keytab and without a ticket a KDC is asked, which may
    /// take half a minute: it is for a thread that may wait.
    ///
    /// # Errors
    /// There is nothing to sign in with, or no KDC gives a ticket for it.
    pub fn tickets(&self) -> Result<Tickets, KerberosError> {
        self.look_at_keytab()?;
        tickets(self.principal.as_deref()).map_err(|error| reasons::of_tickets(error, self.sought()))
    }

    pub(in crate::server::auth) fn is_prepared(&self) -> bool {
        self.learned().is_some()
    }

    pub(in crate::server::auth) fn is_bound_to_tls(&self) -> bool {
        self.bindings == ChannelBindings::Auto
    }

    pub(in crate::server::auth) fn check(&self) -> Result<String, SignInError> {
        match &self.keytab {
            None => Ok(match LIBRARY {
                Library::Windows => {
                    format!("Kerberos for {}, by Windows, as the account that it runs as", self.service)
                }
                Library::Mit | Library::Missing => {
                    format!("Kerberos for {}, with the tickets of whoever runs it", self.service)
                }
            }),
            Some(source) => {
                let path = keytab::look(source).map_err(KerberosError::Keytab)?;
                Ok(format!("Kerberos for {}, with the keytab {} (no KDC was asked)", self.service, path.display()))
            }
        }
    }

    pub(in crate::server::auth) fn sign_in(&self) -> Box<dyn SignIn> {
        Box::new(Negotiating { settings: self.clone(), shown: None, has_renewed: false, waits: false })
    }

    /// Has the library get the ticket for the server, which it keeps: the tokens of calls then need no KDC. The token that it makes
    /// with it is dropped, since only the server's 401 tells what one has to be bound to.
    pub(in crate::server) fn prepare(&self) -> Awaited<'static, ()> {
        let settings = Self { bindings: ChannelBindings::Off, ..self.clone() };
        let mut first = Negotiating { settings, shown: None, has_renewed: false, waits: false };
        Box::pin(async move { first.begin(None).await.map(drop) })
    }

    fn learned(&self) -> Option<Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server's principal.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    fn sought(&self) -> Sought {
        Sought {
            service: self.service.clone(),
            principal: self.principal.clone(),
            keytab: self.keytab.as_ref().and_then(TokenSource::location),
        }
    }

    /// Whether the library was told of the keytab, and of a ticket cache that nobody else has, when this process started. Otherwise it
    /// would sign in as whomever it finds.
    fn look_at_keytab(&self) -> Result<(), KerberosError> {
        let Some(source) = &self.keytab else { return Ok(()) };
        keytab::look(source)?;
        if keytab::was_started_for(source) { Ok(()) } else { Err(KerberosError::NotStartedForKeytab) }
    }
}

/// The sign-in of one call.
struct Negotiating {
    settings: Negotiate,
    shown: Option<Shown>,
    /// A token was made anew for another certificate.
    has_renewed: bool,
    /// The library is being asked.
    waits: bool,
}

/// The token that went out last.
struct Shown {
    context: Box<dyn Context>,
    certificate: Option<Vec<u8>>,
}

impl Negotiating {
    /// A new token, bound to this certificate. No token is ever shown twice: a server takes the second one for a replay.
    async fn begin(&mut self, certificate: Option<Vec<u8>>) -> Result<HeaderValue, SignInError> {
        self.shown = None;
        let settings = self.settings.clone();
        let is_bound = settings.bindings == ChannelBindings::Auto;
        let request = Request {
            service: settings.service.clone(),
            principal: settings.principal.clone(),
            bindings: certificate.as_deref().filter(|_| is_bound).map(bindings::of),
        };
        let begun = self.ask(move || {
            settings.look_at_keytab()?;
            let failed = |source: LibraryError| reasons::of_library(source, settings.sought());
            settings.mechanism.begin(&request).map_err(failed)
        });
        let (context, token) = begun.await?;
        let header = header(&token)?;
        self.shown = Some(Shown { context, certificate });
        Ok(header)
    }

    /// Feeds the library what came from the server.
    async fn step(
        &mut self,
        context: Box<dyn Context>,
        token: Vec<u8>,
        failed: fn(LibraryError, Sought) -> KerberosError,
    ) -> Result<Progress, SignInError> {
        if is_ntlm(&token) {
            return Err(KerberosError::Ntlm.into());
        }
        let sought = self.settings.sought();
        self.ask(move || context.step(&token).map_err(|source| failed(source, sought))).await
    }

    /// Calls the library on a thread that may wait. Whoever gives up does not wait for it.
    async fn ask<T: Send + 'static>(
        &mut self,
        call: impl FnOnce() -> Result<T, KerberosError> + Send + 'static,
    ) -> Result<T, SignInError> {
        self.waits = true;
        let done = tokio::task::spawn_blocking(call).await;
        self.waits = false;
        done.map_err(|error| KerberosError::System(error.into()))?.map_err(SignInError::from)
    }

    /// Keeps what the server's 401 says for the calls to come.
    fn learn(&self, challenge: &Challenge) {
        let learned = Learned { certificate: challenge.certificate.clone() };
        *self.settings.learned.lock().unwrap_or_else(PoisonError::into_inner) = Some(learned);
    }

    async fn next(&mut self, challenge: &Challenge) -> Result<Next, SignInError> {
        let shown = self.shown.take();
        if challenge.offered.lacks("Negotiate") {
            let has_ntlm = challenge.offered.schemes().iter().any(|scheme| scheme.eq_ignore_ascii_case("NTLM"));
            return Ok(Next::Stop(if has_ntlm { Stop::NtlmAlone } else { Stop::NotOffered }));
        }
        self.learn(challenge);
        let Some(Shown { context, certificate }) = shown else {
            return self.begin(challenge.certificate.clone()).await.map(Next::Show);
        };
        match &challenge.token {
            // The server's reason is in its token, and only the library can read it.
            Some(token) => match self.step(context, token.clone(), reasons::of_refusal).await? {
                Progress::Done(_) => Ok(Next::Stop(Stop::UserRefused)),
                Progress::Unfinished => Err(KerberosError::Unfinished.into()),
            },
            // The certificate was replaced, or another server of several has answered.
            None if self.settings.is_bound_to_tls() && certificate != challenge.certificate && !self.has_renewed => {
                self.has_renewed = true;
                self.begin(challenge.certificate.clone()).await.map(Next::Show)
            }
            None => Ok(Next::Stop(Stop::TicketRefused)),
        }
    }

    async fn look(&mut self, headers: &HeaderMap, is_success: bool) -> Result<(), SignInError> {
        let Some(Shown { context, .. }) = self.shown.take() else {
            return if is_success { Err(KerberosError::NotAsked.into()) } else { Ok(()) };
        };
        match negotiate_token(headers) {
            Some(token) => match self.step(context, token, reasons::of_proof).await? {
                Progress::Done(left) => {
                    let until = left.and_then(|left| SystemTime::now().checked_add(left));
                    *self.settings.ticket.lock().unwrap_or_else(PoisonError::into_inner) = until;
                    Ok(())
                }
                Progress::Unfinished => Err(KerberosError::Unfinished.into()),
            },
            None if is_success => Err(KerberosError::NoProof { service: self.settings.service.clone() }.into()),
            // A refusal or a failure is used for nothing, and often comes from somebody before the server.
            None => Ok(()),
        }
    }
}

impl SignIn for Negotiating {
    fn first(&mut self) -> Awaited<'_, Option<HeaderValue>> {
        Box::pin(async {
            self.shown = None;
            match self.settings.learned() {
                None => Ok(None),
                Some(Learned { certificate }) => self.begin(certificate).await.map(Some),
            }
        })
    }

    fn refused<'a>(&'a mut self, challenge: &'a Challenge) -> Awaited<'a, Next> {
        Box::pin(self.next(challenge))
    }

    fn answered<'a>(&'a mut self, headers: &'a HeaderMap, is_success: bool) -> Awaited<'a, ()> {
        Box::pin(self.look(headers, is_success))
    }

    fn overdue(&self, after: Duration) -> Option<SignInError> {
        self.waits.then(|| KerberosError::Silent { after }.into())
    }
}

fn is_ntlm(token: &[u8]) -> bool {
    [NTLM_TOKEN, NTLM_MECHANISM].iter().any(|mark| token.windows(mark.len()).any(|part| part == *mark))
}

const SCHEME: &[u8] = b"Negotiate ";

/// The value of `Authorization`, marked sensitive.
fn header(token: &SecretBytes) -> Result<HeaderValue, KerberosError> {
    let mut value = zeroize::Zeroizing::new(vec![0; SCHEME.len() + token.len().div_ceil(3) * 4]);
    let (scheme, text) = value.split_at_mut(SCHEME.len());
    scheme.copy_from_slice(SCHEME);
    let unwritable = |_| KerberosError::System(std::io::ErrorKind::InvalidData.into());
    STANDARD.encode_slice(token.expose(), text).map_err(unwritable)?;
    let mut header =
        HeaderValue::from_bytes(&value).map_err(|_| KerberosError::System(std::io::ErrorKind::InvalidData.into()))?;
    header.set_sensitive(true);
    Ok(header)
}
