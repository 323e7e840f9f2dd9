//! The authorization code for an account that has a keytab: the pages of AD FS are asked for as a browser would, with a Kerberos ticket,
//! until AD FS sends the browser back. Where it is sent back to is never opened.

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::LOCATION;
use url::Url;

use super::error::AdfsError;
use super::own_error::{OwnError, Showed};
use super::request::Authorization;
use super::transport::{Page, Pages, Transport};
use crate::foreign_text::escaped;
use crate::secret::SecretBytes;
use crate::server::auth::kerberos::error::KerberosError;
use crate::server::auth::kerberos::negotiate::Negotiate;
use crate::server::auth::sign_in::{Next, SignIn, SignInError, Stop};

/// How many pages of AD FS are asked for: its own way has three or four.
const MOST_PAGES: usize = 10;

/// How often one page is asked for with a ticket: the second time where the certificate has changed.
const MOST_TICKETS: usize = 3;

/// A field for a password, as pages write it.
const PASSWORD: [&str; 3] = ["type=\"password\"", "type='password'", "type=password"];

/// The way from page to page.
pub(super) struct Way<'a> {
    pub transport: &'a dyn Transport,
    /// `https://sts.contoso.com/adfs`: only what is below it is asked.
    pub authority: &'a Url,
    /// A KDC is being asked.
    pub waits_for_kdc: &'a AtomicBool,
}

impl Way<'_> {
    /// The code for this sign-in.
    ///
    /// # Errors
    /// AD FS can't be asked, says no, or wants a person: [`OwnError`]; the ticket: [`OwnError::Kerberos`].
    pub async fn code(&self, begun: &Authorization, negotiate: &Negotiate) -> Result<SecretBytes, AdfsError> {
        let mut pages = self.transport.pages()?;
        let mut sign_in = negotiate.sign_in();
        let (mut url, mut is_known) = (begun.url.clone(), false);
        for _ in 0..MOST_PAGES {
            let page = self.page(&mut *pages, &mut *sign_in, &url, &mut is_known).await?;
            let location = page.headers.get(LOCATION).filter(|_| matches!(page.status, 301..=303 | 307 | 308));
            let Some(location) = location else { return Err(self.no_code(&page, is_known).into()) };
            let back = location.as_bytes().strip_prefix(begun.redirect.as_bytes());
            if let Some(query) = back.and_then(|rest| rest.strip_prefix(b"?")) {
                // Whoever gives a code to somebody unknown is no AD FS.
                return match begun.code(query) {
                    Ok(_) if !is_known => Err(OwnError::NotAsked { host: self.host() }.into()),
                    Err(AdfsError::Refused(refusal)) => {
                        Err(OwnError::Refused { refusal, showed: Showed::Ticket, ahead: None }.into())
                    }
                    code => code,
                };
            }
            url = self.next(&url, location.to_str().unwrap_or_default())?;
        }
        Err(OwnError::Circle { host: self.host() }.into())
    }

    /// One page, asked for with a ticket where AD FS wants one. `is_known`: AD FS has taken one, and has proved who it is.
    async fn page(
        &self,
        pages: &mut dyn Pages,
        sign_in: &mut dyn SignIn,
        url: &Url,
        is_known: &mut bool,
    ) -> Result<Page, AdfsError> {
        let mut page = pages.get(url, None).await?;
        let mut has_shown = false;
        for _ in 0..MOST_TICKETS {
            if page.status != 401 {
                break;
            }
            let next = self.ask(sign_in.refused(&page.challenge)).await?;
            match next {
                Next::Show(header) => page = pages.get(url, Some(header)).await?,
                Next::Stop(stop) => return Err(self.stopped(stop).into()),
            }
            has_shown = true;
        }
        if page.status == 401 {
            return Err(OwnError::TicketRefused { host: self.host() }.into());
        }
        if has_shown {
            self.ask(sign_in.answered(&page.headers, page.status < 400)).await?;
            *is_known = true;
        }
        Ok(page)
    }

    /// Waits for the library, which may wait for a KDC.
    async fn ask<T>(&self, asked: impl Future<Output = Result<T, SignInError>>) -> Result<T, AdfsError> {
        self.waits_for_kdc.store(true, Ordering::Relaxed);
        let done = asked.await;
        self.waits_for_kdc.store(false, Ordering::Relaxed);
        done.map_err(|error| match error {
            SignInError::Kerberos(error) => OwnError::Kerberos(error).into(),
            SignInError::Adfs(error) => error,
            // Kerberos has no token of a file.
            SignInError::Token(_) => OwnError::Kerberos(KerberosError::Unfinished).into(),
        })
    }

    fn stopped(&self, stop: Stop) -> OwnError {
        let host = self.host();
        match stop {
            Stop::NtlmAlone => OwnError::NtlmAlone { host },
            Stop::TicketRefused => OwnError::TicketRefused { host },
            Stop::UserRefused => OwnError::UserRefused { host },
            Stop::NoCredentials
            | Stop::NotOffered
            | Stop::SameToken
            | Stop::NewTokenRefused
            | Stop::SignInRefused
            | Stop::NewSignInRefused
            | Stop::ClientRefused => OwnError::NotOffered { host },
        }
    }

    /// Where AD FS sends the browser next: nowhere but to its own pages, and with nothing but its own cookies.
    fn next(&self, from: &Url, location: &str) -> Result<Url, OwnError> {
        let elsewhere = |to: &str| OwnError::SentElsewhere { host: self.host(), to: escaped(to).into_owned() };
        let to = from.join(location).map_err(|_| elsewhere("an address that is none"))?;
        let folder = self.authority.path().trim_end_matches('/');
        let is_below = to.path().strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        match to.origin() == self.authority.origin() && is_below {
            true => Ok(to),
            // The host alone: the rest may hold what is nobody's business.
            false => Err(elsewhere(to.host_str().unwrap_or(to.scheme()))),
        }
    }

    /// What a page without a redirect is.
    fn no_code(&self, page: &Page, is_known: bool) -> OwnError {
        let host = self.host();
        let text = String::from_utf8_lossy(page.start.expose());
        let code = error_number(&text);
        let asks_for_password = PASSWORD.iter().any(|field| text.contains(field));
        match page.status {
            200 if asks_for_password => OwnError::LoginForm { host },
            200 if code.is_none() && is_known => OwnError::PageForPerson { host },
            200 if code.is_none() => OwnError::PageBefore { host },
            status => OwnError::ErrorPage { host, status, code },
        }
    }

    fn host(&self) -> String {
        self.transport.host()
    }
}

/// The number of an error on a page, `MSIS9602`.
fn error_number(text: &str) -> Option<String> {
    text.match_indices("MSIS").find_map(|(at, word)| {
        let digits = text[at + word.len()..].bytes().take_while(u8::is_ascii_digit).count();
        (3..=5).contains(&digits).then(|| text[at..at + word.len() + digits].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errors_number_is_told_from_a_cookies_name() {
        assert_eq!(error_number("MSISAuth; <p>MSIS9602: no</p>").as_deref(), Some("MSIS9602"));
        for text in ["", "MSIS", "MSISAuth1", "MSIS123456"] {
            assert_eq!(error_number(text), None, "{text}");
        }
    }
}
