//! Recordings that a test makes anew and compares with those in `fixtures/apdu`.
//!
//! What pinwright sends and is answered must be what is in the file, but for the day and the challenges.
//! `PINWRIGHT_UPDATE_RECORDINGS=1` writes what was got into the files, to be reviewed as a diff.

use std::fs;
use std::path::PathBuf;

use crate::repository::root;

/// Commands that are answered with a challenge: GENERAL AUTHENTICATE with the management key, and GET CHALLENGE.
const CHALLENGES: [&str; 2] = ["> 0087039B", "> 00840000"];

/// The file `fixtures/apdu/FAMILY/NAME.apdu`.
pub fn path(family: &str, name: &str) -> PathBuf {
    root().join("fixtures/apdu").join(family).join(format!("{name}.apdu"))
}

/// All but the day, and of a challenge its length.
fn lasting(text: &str) -> Vec<String> {
    let mut random = false;
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("# recorded: ")) {
        lines.push(if random { format!("a challenge in {} characters", line.len()) } else { line.to_owned() });
        random = CHALLENGES.iter().any(|command| line.starts_with(command));
    }
    lines
}

/// Insists that this is what is in the file, and that it shows none of these.
pub fn compare(family: &str, name: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!text.contains(&hex::encode_upper(secret)), "{family}/{name} shows a secret:\n{text}");
    }
    let path = path(family, name);
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if lasting(&kept) == lasting(text) {
        return;
    }
    assert!(
        std::env::var_os("PINWRIGHT_UPDATE_RECORDINGS").is_some(),
        "{} is not what is recorded now (PINWRIGHT_UPDATE_RECORDINGS=1 writes it):\n{text}",
        path.display()
    );
    fs::write(&path, text).unwrap();
}
