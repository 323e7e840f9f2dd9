//! A page of the book as a page for man(1): the book's Markdown is its source, so that both say the same.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use roff::{Inline, Roff, bold, italic, line_break, roman};

use crate::operation::Operation;

/// An empty argument of a request. A page has no date: two builds of one version are the same.
const NOTHING: &str = "\"\"";

/// A page of the book with what man(1) wants around it.
pub(super) struct BookPage {
    /// What people ask man(1) for.
    pub name: &'static str,
    /// The section of the manual.
    pub section: &'static str,
    /// What the page is a part of, as man(1) heads it.
    pub manual: &'static str,
    /// What it describes, for apropos(1).
    pub summary: &'static str,
    /// Commands with what follows them, or files.
    pub synopsis: &'static [(Option<Operation>, &'static str)],
    /// The book's page.
    pub text: &'static str,
    /// Other pages, with their sections.
    pub see_also: &'static str,
}

/// The pages that are no command's.
pub(super) const BOOK_PAGES: [BookPage; 2] = [
    BookPage {
        name: "pinwright-agent",
        section: "8",
        manual: "System Administration",
        summary: "sets the PIN of each smart card that is inserted",
        synopsis: &[
            (Some(Operation::Agent), ""),
            (Some(Operation::Agent), " --check"),
            (None, "systemctl enable --now pinwright-agent"),
        ],
        text: include_str!("../../../docs/src/agent.md"),
        see_also: "pinwright(1), pinwright-agent(1), pinwright-agent-status(1), pinwright.toml(5), pcscd(8), systemd.exec(5)",
    },
    BookPage {
        name: "pinwright.toml",
        section: "5",
        manual: "File Formats",
        summary: "configuration of pinwright",
        synopsis: &[
            (None, "/etc/pinwright/config.toml"),
            (None, "/etc/pinwright/config.d/*.toml"),
            (None, "~/.config/pinwright/config.toml"),
        ],
        text: include_str!("../../../docs/src/configuration.md"),
        see_also: "pinwright(1), pinwright-config(1), pinwright-config-show(1), pinwright-agent(8), systemd.exec(5)",
    },
];

impl BookPage {
    /// The page's file, as man(1) looks for it.
    pub fn file(&self) -> String {
        format!("{}.{}", self.name, self.section)
    }

    /// The page in the language of man(1).
    pub fn roff(&self) -> String {
        let mut page = Page::default();
        let source = concat!("pinwright ", env!("CARGO_PKG_VERSION"));
        page.roff.control("TH", [self.name, self.section, NOTHING, source, self.manual]);
        page.roff.control("SH", ["NAME"]).text([roman(format!("{} - {}", self.name, self.summary))]);
        page.roff.control("SH", ["SYNOPSIS"]);
        for (number, (command, rest)) in self.synopsis.iter().enumerate() {
            if number > 0 {
                page.roff.control("br", []);
            }
            let command = command.map(|command| command.to_string()).unwrap_or_default();
            page.roff.text([bold(command + rest)]);
        }
        page.roff.control("SH", ["DESCRIPTION"]);
        page.is_begun = true;
        Parser::new_ext(self.text, Options::ENABLE_TABLES).for_each(|event| page.add(event));
        page.roff.control("SH", ["SEE ALSO"]).text([roman(self.see_also)]);
        page.roff.control("PP", []).text([
            roman("Names in "),
            italic("italics"),
            roman(" are those of pages of the book."),
        ]);
        page.roff.render()
    }
}

/// A table, row by row.
struct Table {
    head: Vec<String>,
    row: Vec<Vec<Inline>>,
}

/// What was made so far, and where in the text it stands.
#[derive(Default)]
struct Page {
    roff: Roff,
    line: Vec<Inline>,
    is_bold: bool,
    is_italic: bool,
    is_code: bool,
    /// The number of the next item, in each list that is open; none where the items have marks.
    lists: Vec<Option<u64>>,
    /// The heading, or the mark of the item, begins the paragraph that follows.
    is_begun: bool,
    table: Option<Table>,
}

impl Page {
    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text),
            Event::Code(text) => self.line.push(bold(&*text)),
            Event::SoftBreak => self.line.push(roman(" ")),
            Event::HardBreak => self.line.push(line_break()),
            // Comments of the book's, which say how its examples are checked.
            Event::Html(_) | Event::InlineHtml(_) => {}
            // None of these is switched on, or used in the book.
            Event::Rule
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Paragraph if std::mem::take(&mut self.is_begun) => {}
            Tag::Paragraph if self.lists.is_empty() => {
                self.roff.control("PP", []);
            }
            Tag::Paragraph => {
                self.roff.control("IP", [NOTHING, "4"]);
            }
            Tag::List(first) => {
                self.end_line();
                if !self.lists.is_empty() {
                    self.roff.control("RS", ["4"]);
                }
                self.lists.push(*first);
            }
            Tag::Item => {
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}.", *number - 1)
                    }
                    _ => "\\(bu".to_owned(),
                };
                self.roff.control("IP", [mark.as_str(), "4"]);
                self.is_begun = true;
            }
            Tag::CodeBlock(_) => {
                self.end_line();
                self.is_code = true;
                if !(std::mem::take(&mut self.is_begun) && self.lists.is_empty()) {
                    self.roff.control("PP", []);
                }
                self.roff.control("RS", [if self.lists.is_empty() { "4" } else { "8" }]).control("nf", []);
            }
            Tag::Strong => self.is_bold = true,
            Tag::Emphasis | Tag::Link { .. } => self.is_italic = true,
            Tag::Table(_) => {
                self.is_begun = false;
                self.table = Some(Table { head: Vec::new(), row: Vec::new() });
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(HeadingLevel::H1) => self.line.clear(),
            TagEnd::Heading(level) => {
                let heading = plain(&std::mem::take(&mut self.line));
                match level {
                    HeadingLevel::H2 => self.roff.control("SH", [argument(&heading.to_uppercase()).as_str()]),
                    _ => self.roff.control("SS", [argument(&heading).as_str()]),
                };
                self.is_begun = true;
            }
            TagEnd::Paragraph | TagEnd::Item => self.end_line(),
            TagEnd::List(_) => {
                self.lists.pop();
                self.is_begun = false;
                if !self.lists.is_empty() {
                    self.roff.control("RE", []);
                }
            }
            TagEnd::CodeBlock => {
                self.is_code = false;
                self.roff.control("fi", []).control("RE", []);
            }
            TagEnd::Strong => self.is_bold = false,
            TagEnd::Emphasis | TagEnd::Link => self.is_italic = false,
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.line);
                self.table.iter_mut().for_each(|table| table.row.push(cell.clone()));
            }
            TagEnd::TableHead => {
                let names = |table: &mut Table| table.head = table.row.drain(..).map(|cell| plain(&cell)).collect();
                self.table.iter_mut().for_each(names);
            }
            TagEnd::TableRow => self.row(),
            TagEnd::Table => self.table = None,
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.is_code {
            for line in text.lines() {
                self.roff.text([roman(line)]);
            }
            return;
        }
        self.line.push(match (self.is_bold, self.is_italic) {
            (true, _) => bold(text),
            (false, true) => italic(text),
            (false, false) => roman(text),
        });
    }

    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.roff.text(std::mem::take(&mut self.line));
        }
    }

    /// A row is an entry: its first cell, and below it the others, each after its name; what it means needs none.
    fn row(&mut self) {
        let Some(table) = &mut self.table else { return };
        let mut cells = table.row.drain(..).zip(&table.head);
        let Some((first, _)) = cells.next() else { return };
        self.roff.control("TP", []).text(first);
        let mut line = Vec::new();
        let mut rest = cells.peekable();
        while let Some((cell, name)) = rest.next() {
            let is_last = rest.peek().is_none();
            if is_last && !line.is_empty() {
                line.push(line_break());
            }
            if cell.is_empty() {
                continue;
            }
            let is_named = !is_last || (!line.is_empty() && !name.starts_with("meaning"));
            if is_named {
                let space = if line.is_empty() || is_last { "" } else { " " };
                line.push(roman(format!("{space}{}: ", capitalised(name))));
            }
            line.extend(cell);
            if !is_last {
                line.push(roman("."));
            }
        }
        self.roff.text(line);
    }
}

fn plain(line: &[Inline]) -> String {
    let text = |inline: &Inline| match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text.clone(),
        Inline::LineBreak => " ".to_owned(),
    };
    line.iter().map(text).collect()
}

/// Text as an argument of a request, which the library passes on as it is.
fn argument(text: &str) -> String {
    text.replace('\\', "\\e").replace('"', "\\(dq").replace('\'', "\\(aq").replace('-', "\\-")
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
