//! How results look: colours that say what is well and what is not, and tables that fit the terminal.

mod table;

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

pub use self::table::{Cell, Table};
use super::Color;
use crate::foreign_text::escaped;

/// Where the outputs go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Screen {
    /// Standard output is a terminal.
    pub out_is_terminal: bool,
    /// Standard error is a terminal.
    pub err_is_terminal: bool,
    /// How wide that terminal is; `None` where nothing limits a line.
    pub columns: Option<usize>,
}

/// Which outputs are coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Colours {
    /// Standard output.
    pub out: bool,
    /// Standard error.
    pub err: bool,
}

impl Screen {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        use std::io::IsTerminal as _;
        let columns = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
        Self {
            out_is_terminal: std::io::stdout().is_terminal(),
            err_is_terminal: std::io::stderr().is_terminal(),
            columns: columns.filter(|columns| *columns > 0),
        }
    }

    /// Which outputs are coloured: terminals, unless the person or the environment (`NO_COLOR`, a `TERM` that is `dumb`) says
    /// otherwise.
    #[must_use]
    pub fn colours(self, wanted: Color, environment: &[(String, std::ffi::OsString)]) -> Colours {
        let variable = |name| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let unwanted = variable("NO_COLOR").is_some_and(|value| !value.is_empty())
            || variable("TERM").is_some_and(|value| value == "dumb");
        match wanted {
            Color::Always => Colours { out: true, err: true },
            Color::Never => Colours::default(),
            Color::Auto => Colours { out: self.out_is_terminal && !unwanted, err: self.err_is_terminal && !unwanted },
        }
    }
}

/// What a text says of what it is about. No meaning is carried by it alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// It is well.
    Good,
    /// It waits for somebody, or somebody should know of it.
    Waiting,
    /// It is not well.
    Bad,
    /// A heading.
    Heading,
    /// It matters less than what stands beside it.
    Quiet,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Good => colour(AnsiColor::Green),
            Self::Waiting => colour(AnsiColor::Yellow),
            Self::Bad => colour(AnsiColor::Red).bold(),
            Self::Heading => Style::new().bold(),
            Self::Quiet => Style::new().dimmed(),
        }
    }
}

/// One line, in pieces of one tone each. What is foreign in it is escaped when it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(Vec<(Tone, String)>);

impl Line {
    /// A line with one piece.
    #[must_use]
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self::default().with(tone, text)
    }

    /// The line with another piece at its end.
    #[must_use]
    pub fn with(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push((tone, text.into()));
        self
    }

    /// A label and what there is to say under it.
    #[must_use]
    pub fn labelled(label: &str, tone: Tone, text: impl Into<String>) -> Self {
        Self::new(Tone::Quiet, format!("{label:<LABEL$}")).with(tone, text)
    }

    /// The line for a terminal or a file: without a character of foreign text that a terminal would obey.
    #[must_use]
    pub fn shown(&self, coloured: bool) -> String {
        let mut shown = String::new();
        for (tone, text) in &self.0 {
            let (style, text) = (tone.style(), escaped(text));
            // Writing to a String does not fail.
            let _ = match coloured && *tone != Tone::Plain && !text.trim().is_empty() {
                true => write!(shown, "{style}{text}{style:#}"),
                false => shown.write_str(&text),
            };
        }
        shown
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// The width of labels and the space behind them.
const LABEL: usize = 15;

/// How many columns a terminal needs for a text.
fn width(text: &str) -> usize {
    escaped(text).width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_unless_somebody_says_otherwise() {
        let terminal = Screen { out_is_terminal: true, err_is_terminal: false, columns: Some(80) };
        let set = |name: &str, value: &str| vec![(name.to_owned(), value.into())];
        let out = Colours { out: true, err: false };
        assert_eq!(terminal.colours(Color::Auto, &[]), out);
        assert_eq!(terminal.colours(Color::Auto, &set("NO_COLOR", "")), out);
        for unwanted in [set("NO_COLOR", "1"), set("TERM", "dumb")] {
            assert_eq!(terminal.colours(Color::Auto, &unwanted), Colours::default());
            assert_eq!(terminal.colours(Color::Always, &unwanted), Colours { out: true, err: true });
        }
        assert_eq!(terminal.colours(Color::Never, &[]), Colours::default());
    }

    #[test]
    fn foreign_text_sets_no_colour() {
        let line = Line::new(Tone::Good, "a\u{1b}[31mb");
        assert_eq!(line.shown(true), "\u{1b}[32ma\\u{1b}[31mb\u{1b}[0m");
        assert_eq!(line.shown(false), "a\\u{1b}[31mb");
    }
}
