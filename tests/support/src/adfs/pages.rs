//! The pages of AD FS for somebody who asks for a code.

use url::form_urlencoded::Serializer;

use super::{Form, Reply, State, authorize};

/// What they show.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// Whoever asks is sent back with a code.
    Code,
    /// First to a page of its own that wants a ticket, and from there with cookies to the code.
    WithCookies,
    /// A form for name and password.
    LoginForm,
    /// A second factor.
    SecondFactor,
    /// Another identity provider.
    Elsewhere,
    /// From page to page without an end.
    Circle,
}

const FORM: &str = "<html><form id=\"loginForm\" method=\"post\"><input name=\"UserName\" type=\"email\"/><input name=\"Password\" \
                    type=\"password\"/></form></html>";
const FACTOR: &str = "<html><form><input name=\"VerificationCode\" type=\"text\"/></form></html>";

/// The answer to a page's request. A web server before it says who has signed in.
pub(super) fn answer(state: &mut State, endpoint: &str, head: &str, form: &Form) -> Reply {
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let user = header("x-remote-user").filter(|user| !user.is_empty() && user != "(null)");
    let cookies = header("cookie").unwrap_or_default();
    state.secrets.extend(["session-cookie-secret".to_owned(), "request-cookie-secret".to_owned()]);
    let query = Serializer::new(String::new()).extend_pairs(form).finish();
    let to = |place: &str, cookie: &str| {
        let set = if cookie.is_empty() {
            String::new()
        } else {
            format!("Set-Cookie: {cookie}; path=/adfs; HttpOnly; Secure\r\n")
        };
        (302, format!("Location: {place}\r\n{set}"), String::new())
    };
    match state.pages {
        Pages::LoginForm => (200, String::new(), FORM.to_owned()),
        Pages::SecondFactor => (200, String::new(), FACTOR.to_owned()),
        Pages::Elsewhere => to("https://login.other.test/saml?SAMLRequest=secret", ""),
        Pages::Circle => to(&format!("/adfs/oauth2/authorize?{query}"), ""),
        Pages::WithCookies if endpoint == "authorize/wia" => {
            let asked = cookies.contains("MSISRequest=request-cookie-secret");
            match user {
                Some(user) if asked => {
                    state.users.push(user);
                    to(&format!("/adfs/oauth2/authorize?{query}"), "MSISAuth=session-cookie-secret")
                }
                _ => (500, String::new(), "<html>MSIS7042: no cookie".to_owned()),
            }
        }
        Pages::WithCookies if !cookies.contains("MSISAuth=session-cookie-secret") => {
            to(&format!("authorize/wia?{query}"), "MSISRequest=request-cookie-secret")
        }
        Pages::Code | Pages::WithCookies => {
            state.users.extend(user);
            authorize(state, form)
        }
    }
}
