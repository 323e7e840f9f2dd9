//! What a server says of its own error. Its form is undocumented and its text untrusted.

/// What the server says of its error, made safe to show; empty for routes whose answers are secret.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The id to look for in the server's event log.
    pub correlation: Option<String>,
    /// The server's message.
    pub message: Option<String>,
}

impl std::fmt::Display for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(message) = &self.message {
            write!(f, ": {message:?}")?;
        }
        if let Some(correlation) = &self.correlation {
            write!(f, ", correlation id {correlation}")?;
        }
        Ok(())
    }
}

impl Detail {
    /// Reads the message and correlation id of an error body: its form is undocumented, so JSON members are looked up by
    /// the usual names and the first GUID is taken for the id.
    pub(super) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        let member =
            |name: &str| json.as_ref()?.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str();
        let message = ["message", "errorcode"].into_iter().find_map(member).map(printable);
        Self { message, correlation: first_guid(&text) }
    }
}

/// Untrusted text for a terminal: no control characters, at most 200 characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn first_guid(text: &str) -> Option<String> {
    text.as_bytes()
        .windows(36)
        .find_map(|window| uuid::Uuid::try_parse_ascii(window).ok().map(|guid| guid.hyphenated().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_body_is_untrusted_text() {
        let detail = Detail::read(
            br#"{"Message":"An error \u001b[31mhas occurred. Correlation ID: 2F1A6D1E-0000-4000-8000-00000000ABCD"}"#,
        );
        assert_eq!(detail.correlation.as_deref(), Some("2f1a6d1e-0000-4000-8000-00000000abcd"));
        assert!(detail.message.unwrap().starts_with("An error [31mhas occurred"));
        assert_eq!(Detail::read(b"\xFF\xFE<html>"), Detail::default());
    }
}
