//! An error and its causes as text: the one place that follows a chain of sources.

use std::error::Error;

/// The texts of an error's causes, the outermost first. A cause that the error before it repeats in its own words is left
/// out.
#[must_use]
pub fn causes(error: &dyn Error) -> Vec<String> {
    let mut said = error.to_string();
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(current) = cause {
        let text = current.to_string();
        if !said.contains(&text) {
            causes.push(text.clone());
        }
        said = text;
        cause = current.source();
    }
    causes
}

/// An error and its causes in one line, with colons between them.
#[must_use]
pub fn error_text(error: &dyn Error) -> String {
    let mut parts = vec![error.to_string()];
    parts.extend(causes(error));
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    /// An error of one word and its cause.
    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|link| link as &(dyn Error + 'static))
        }
    }

    fn chain(texts: &[&'static str]) -> Link {
        let (first, rest) = texts.split_first().unwrap();
        Link(first, (!rest.is_empty()).then(|| Box::new(chain(rest))))
    }

    #[test]
    fn every_cause_is_told_in_order() {
        let error = chain(&["no token", "t can't be read", "permission denied"]);
        assert_eq!(error_text(&error), "no token: t can't be read: permission denied");
        assert_eq!(causes(&error), ["t can't be read", "permission denied"]);
        assert_eq!(error_text(&chain(&["alone"])), "alone");
    }

    #[test]
    fn a_cause_that_was_told_already_is_not_told_again() {
        assert_eq!(error_text(&chain(&["GET x: refused", "refused", "timed out"])), "GET x: refused: timed out");
        assert_eq!(error_text(&chain(&["refused", "refused"])), "refused");
        // Only the error just before it can have told it.
        assert_eq!(error_text(&chain(&["a failed", "b", "a"])), "a failed: b: a");
    }
}
