//! Recorded exchanges as text: reading and writing `.apdu` files.
//!
//! ```text
//! # fixture: 1
//! # scenario: how many tries are left
//!
//! # VERIFY without data
//! > 00200080
//! < 63C3
//! ```
//!
//! Comment lines of the form `key: value` before the first empty line (and before the first
//! exchange) are headers. Later comment lines directly above a command belong to it as its note.
//! `>` is a command, `<` its answer, in upper-case hexadecimal; `**` stands for a byte that was
//! masked because it was secret, and matches any byte.

use std::fmt;
use std::str::FromStr;

/// Longest fixture taken, in bytes. The largest session recorded so far has 11 kB.
const MAX_TEXT: usize = 8 * 1024 * 1024;
/// Longest APDU taken: extended length, header and status word included.
const MAX_BYTES: usize = 65_536 + 9;

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fixture {
    /// Header lines, in order.
    pub headers: Vec<(String, String)>,
    /// Commands with their answers, in order.
    pub exchanges: Vec<Exchange>,
}

/// One command and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Line of the command, from 1; 0 where the exchange comes from no file.
    pub line: usize,
    /// Comment just above the command; several lines are joined by line feeds.
    pub note: Option<String>,
    /// What the host sent.
    pub command: Pattern,
    /// What the card answered, status word included.
    pub response: Pattern,
}

/// Bytes, some of which may be masked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pattern(pub Vec<Option<u8>>);

/// Why a fixture could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct FixtureError {
    /// Line of the problem, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a fixture. Nothing of the line's content is quoted: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Larger than any recording.
    #[error("the fixture is too large")]
    TooLarge,
    /// Neither comment, command nor answer.
    #[error("a line starts with '#', '>' or '<'")]
    UnknownLine,
    /// Two commands in a row, or the end of the file.
    #[error("a command without an answer")]
    NoAnswer,
    /// An answer first.
    #[error("an answer without a command just above it")]
    NoCommand,
    /// Not hexadecimal.
    #[error("bytes are written as two upper-case hexadecimal digits, or ** where masked, without spaces")]
    Bytes,
    /// No bytes at all.
    #[error("no bytes")]
    Empty,
    /// More bytes than an APDU can have.
    #[error("more bytes than an APDU can have")]
    TooLong,
}

impl Fixture {
    /// First header with this key.
    #[must_use]
    pub fn header(&self, key: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(k, _)| k == key);
        found.map(|(_, value)| value.as_str())
    }
}

impl Pattern {
    /// Nothing masked.
    #[must_use]
    pub fn exact(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().map(Some).collect())
    }

    /// Whether these bytes fit: same length, and equal wherever nothing is masked.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        let fits = |(wanted, got): (&Option<u8>, &u8)| wanted.is_none_or(|wanted| wanted == *got);
        self.0.len() == bytes.len() && self.0.iter().zip(bytes).all(fits)
    }

    /// The bytes, where none is masked.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.0.iter().copied().collect()
    }
}

impl FromStr for Pattern {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Problem::Bytes);
        }
        if pairs.is_empty() {
            return Err(Problem::Empty);
        }
        if pairs.len() > MAX_BYTES {
            return Err(Problem::TooLong);
        }
        let byte = |pair: &[u8; 2]| match pair {
            b"**" => Ok(None),
            [high, low] => Ok(Some(digit(*high)? << 4 | digit(*low)?)),
        };
        pairs.iter().map(byte).collect::<Result<_, _>>().map(Self)
    }
}

/// One digit, upper case only: recordings are compared as text.
fn digit(ascii: u8) -> Result<u8, Problem> {
    match ascii {
        b'0'..=b'9' => Ok(ascii - b'0'),
        b'A'..=b'F' => Ok(ascii - b'A' + 10),
        _ => Err(Problem::Bytes),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0 {
            match byte {
                Some(byte) => write!(f, "{byte:02X}")?,
                None => f.write_str("**")?,
            }
        }
        Ok(())
    }
}

/// State while reading.
#[derive(Default)]
struct Reading {
    fixture: Fixture,
    headers_done: bool,
    note: Vec<String>,
    command: Option<(usize, Option<String>, Pattern)>,
}

impl FromStr for Fixture {
    type Err = FixtureError;

    fn from_str(text: &str) -> Result<Self, FixtureError> {
        let at = |line| move |problem| FixtureError { line, problem };
        if text.len() > MAX_TEXT {
            return Err(at(1)(Problem::TooLarge));
        }
        let mut reading = Reading::default();
        let mut last = 1;
        for (index, line) in text.lines().enumerate() {
            last = index + 1;
            reading.line(last, line.trim_end()).map_err(at(last))?;
        }
        if reading.command.is_some() {
            return Err(at(last)(Problem::NoAnswer));
        }
        Ok(reading.fixture)
    }
}

impl Reading {
    fn line(&mut self, number: usize, line: &str) -> Result<(), Problem> {
        if let Some((at, note, command)) = self.command.take() {
            let answer = line.strip_prefix('<').ok_or(Problem::NoAnswer)?;
            self.fixture.exchanges.push(Exchange { line: at, note, command, response: answer.trim_start().parse()? });
            return Ok(());
        }
        match line.split_at_checked(1) {
            None if line.is_empty() => {
                self.headers_done = true;
                self.note.clear();
            }
            Some(("#", comment)) => self.comment(comment.trim()),
            Some((">", command)) => {
                self.headers_done = true;
                let note = std::mem::take(&mut self.note);
                let note = (!note.is_empty()).then(|| note.join("\n"));
                self.command = Some((number, note, command.trim_start().parse()?));
            }
            Some(("<", _)) => return Err(Problem::NoCommand),
            _ => return Err(Problem::UnknownLine),
        }
        Ok(())
    }

    fn comment(&mut self, comment: &str) {
        match header(comment) {
            Some(header) if !self.headers_done => {
                self.fixture.headers.push(header);
                self.note.clear();
            }
            _ => self.note.push(comment.to_owned()),
        }
    }
}

/// `key: value`, the key being lower-case letters, digits and hyphens.
fn header(comment: &str) -> Option<(String, String)> {
    let (key, value) = comment.split_once(": ")?;
    let spelled = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_key = !key.is_empty() && key.bytes().all(spelled);
    is_key.then(|| (key.to_owned(), value.trim().to_owned()))
}

impl fmt::Display for Fixture {
    /// Line breaks in headers cannot be written and become spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.headers {
            writeln!(f, "# {key}: {}", value.replace(['\r', '\n'], " "))?;
        }
        // The empty line ends the headers, also where there are none: a note may look like one.
        writeln!(f)?;
        for exchange in &self.exchanges {
            for line in exchange.note.iter().flat_map(|note| note.split('\n')) {
                writeln!(f, "{}", format!("# {line}").trim_end())?;
            }
            writeln!(f, "> {}", exchange.command)?;
            writeln!(f, "< {}", exchange.response)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (usize, Problem) {
        let error = text.parse::<Fixture>().unwrap_err();
        (error.line, error.problem)
    }

    #[test]
    fn reads_headers_notes_and_masked_bytes() {
        let text = "# card: x\n# free words\n# atr: 3B\n\n# not: a header\n# two lines\n> 00**\n< 9000\n";
        let fixture: Fixture = text.parse().unwrap();
        assert_eq!(fixture.header("atr"), Some("3B"));
        assert_eq!(fixture.headers.len(), 2);
        let [exchange] = &fixture.exchanges[..] else { panic!("one exchange") };
        assert_eq!(exchange.line, 7);
        assert_eq!(exchange.note.as_deref(), Some("not: a header\ntwo lines"));
        assert!(exchange.command.matches(&[0, 0x55]));
        assert!(!exchange.command.matches(&[1, 0x55]));
        assert!(!exchange.command.matches(&[0]));
        assert_eq!(exchange.command.bytes(), None);
        assert_eq!(exchange.response.bytes(), Some(vec![0x90, 0x00]));
    }

    #[test]
    fn names_line_and_problem() {
        assert_eq!(problem("> 00\n> 00\n"), (2, Problem::NoAnswer));
        assert_eq!(problem("> 00\n# x\n< 9000\n"), (2, Problem::NoAnswer));
        assert_eq!(problem("\n> 00"), (2, Problem::NoAnswer));
        assert_eq!(problem("< 9000\n"), (1, Problem::NoCommand));
        assert_eq!(problem("> 0\n"), (1, Problem::Bytes));
        assert_eq!(problem("> 00\n< 9g\n"), (2, Problem::Bytes));
        assert_eq!(problem("> 0a\n"), (1, Problem::Bytes));
        assert_eq!(problem("> *0\n"), (1, Problem::Bytes));
        assert_eq!(problem("> 00 20\n"), (1, Problem::Bytes));
        assert_eq!(problem(">\n"), (1, Problem::Empty));
        assert_eq!(problem("ü\n"), (1, Problem::UnknownLine));
        let long = format!("> {}\n", "00".repeat(MAX_BYTES + 1));
        assert_eq!(problem(&long), (1, Problem::TooLong));
    }

    #[test]
    fn empty_lines_of_a_note_are_written() {
        for text in ["\n#\n> 00\n< 9000\n", "\n#\n# a\n#\n#\n> 00\n< 9000\n"] {
            assert_eq!(text.parse::<Fixture>().unwrap().to_string(), text);
        }
    }

    /// Small deterministic generator; a failing case is found again by its number.
    struct Dice(u64);

    impl Dice {
        fn new(seed: u64) -> Self {
            Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        }

        fn roll(&mut self, sides: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).unwrap() % sides
        }

        fn pattern(&mut self) -> Pattern {
            let length = 1 + self.roll(40);
            let byte = |dice: &mut Self| (dice.roll(5) > 0).then(|| dice.roll(256).try_into().unwrap());
            Pattern((0..length).map(|_| byte(self)).collect())
        }

        fn words(&mut self) -> String {
            const WORDS: [&str; 6] = ["card: x", "a: b", "PIN", ">", "# 9000", "ü"];
            let count = 1 + self.roll(3);
            let words: Vec<_> = (0..count).map(|_| WORDS[self.roll(6)]).collect();
            words.join(" ")
        }

        fn fixture(&mut self) -> Fixture {
            let headers = self.roll(4);
            let exchanges = self.roll(6);
            Fixture {
                headers: (0..headers).map(|n| (format!("key-{n}"), self.words())).collect(),
                exchanges: (0..exchanges).map(|_| self.exchange()).collect(),
            }
        }

        fn exchange(&mut self) -> Exchange {
            let lines = self.roll(3);
            let note: Vec<_> = (0..lines).map(|_| self.words()).collect();
            Exchange {
                line: 0,
                note: (lines > 0).then(|| note.join("\n")),
                command: self.pattern(),
                response: self.pattern(),
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for seed in 1..500 {
            let written = Dice::new(seed).fixture();
            let mut read: Fixture = written.to_string().parse().unwrap();
            read.exchanges.iter_mut().for_each(|exchange| exchange.line = 0);
            assert_eq!(read, written, "seed {seed}");
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        const PARTS: [&str; 12] = ["#", ">", "<", " ", "\n", "**", "00", "F", "ü", ": ", "\r\n", "key"];
        for seed in 1..2000 {
            let mut dice = Dice::new(seed);
            let length = dice.roll(60);
            let text: String = (0..length).map(|_| PARTS[dice.roll(12)]).collect();
            let _ = text.parse::<Fixture>();
        }
    }
}
