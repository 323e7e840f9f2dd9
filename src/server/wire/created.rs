//! The answer to a call that made something: a URI, of which only the last segment counts. It is never resolved.

use uuid::Uuid;

use super::object::parse;
use crate::server::error::ServerProblem;

/// The id of what was made: the GUID that is the last segment of a relative, rooted or absolute URI.
pub(in crate::server) fn created(body: &[u8]) -> Result<Uuid, ServerProblem> {
    let wrong = |found| ServerProblem::WrongType { expected: "the URI of what was made", found };
    let value = parse(body)?;
    let uri = value.as_str().ok_or_else(|| wrong("JSON of another kind than a string"))?;
    let path = uri.split(['?', '#']).next().unwrap_or_default().trim();
    let last = path.strip_suffix('/').unwrap_or(path).rsplit('/').next().unwrap_or_default();
    // Text of 36 characters: other forms of a GUID have no business in a path.
    let id = (last.len() == 36).then(|| Uuid::try_parse(last).ok()).flatten();
    id.filter(|id| !id.is_nil()).ok_or_else(|| wrong("a string that does not end in an id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_segment_counts() {
        let id = "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";
        for uri in [
            "api/v1.0/requests/ID",
            "/CertificateManagement/api/v1.0/requests/ID",
            "https://other.contoso.com/api/v1.0/requests/ID",
            "api/v1.0/requests/ID/",
            "api/v1.0/requests/ID?x=/00000000-0000-0000-0000-000000000001",
            "api/v1.0/requests/ID/?x=1#y/z",
            " ID ",
            "//ID",
        ] {
            for id in [id.to_owned(), id.to_uppercase()] {
                let body = format!("\"{}\"", uri.replace("ID", &id));
                assert_eq!(created(body.as_bytes()).unwrap().to_string(), id.to_lowercase(), "{body}");
            }
        }
    }

    #[test]
    fn what_does_not_end_in_an_id_is_refused_without_being_quoted() {
        for body in [
            "",
            "null",
            "1",
            "\"\"",
            "[\"api/v1.0/requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099\"]",
            "\"api/v1.0/requests/CANARY\"",
            "\"api/v1.0/requests/\"",
            "\"api/v1.0/requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099/CANARY\"",
            "\"api/v1.0/requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099//\"",
            "\"api/v1.0/requests/{a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099}\"",
            "\"api/v1.0/requests/a9b4b42ccc504c9b89d1bbc0bcd5a099\"",
            "\"api/v1.0/requests/00000000-0000-0000-0000-000000000000\"",
            "\"?a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099\"",
            "<html>CANARY",
        ] {
            let error = created(body.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{body}: {error:?}");
        }
    }
}
