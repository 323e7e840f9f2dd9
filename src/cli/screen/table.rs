//! A list: as a table where the terminal is wide enough for it, else as a block for each of its rows.

use super::{Line, Tone, width};

/// Below so many columns there is no table, however narrow it would be.
const TABLE_MIN: usize = 80;

/// Between two columns.
const GAP: &str = "  ";

/// What stands in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    tone: Tone,
    text: String,
}

impl Cell {
    /// A text and what it says.
    #[must_use]
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }

    /// A text that says neither good nor bad.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// A list with a heading over each column, in capitals; in a block it is the label. A row that is shorter than the headings ends with a sentence, which may be as long as
/// the rest of the line.
#[derive(Debug, Clone)]
pub struct Table {
    headings: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A list with no row yet.
    #[must_use]
    pub fn new(headings: &'static [&'static str]) -> Self {
        Self { headings, rows: Vec::new() }
    }

    /// Adds a row at the end.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// The lines for a terminal of this width.
    #[must_use]
    pub fn lines(&self, columns: Option<usize>) -> Vec<Line> {
        let widths = self.widths();
        let total = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        match columns {
            Some(columns) if columns < TABLE_MIN || columns < total => self.blocks(),
            _ => self.table(&widths),
        }
    }

    /// The width of each column: that of its widest text.
    fn widths(&self) -> Vec<usize> {
        let of = |(column, heading): (usize, &&str)| {
            let rows = self.rows.iter().filter(|row| row.len() == self.headings.len() || column + 1 < row.len());
            let cells = rows.filter_map(|row| row.get(column)).map(|cell| width(&cell.text));
            cells.chain([width(heading)]).max().unwrap_or_default()
        };
        self.headings.iter().enumerate().map(of).collect()
    }

    fn table(&self, widths: &[usize]) -> Vec<Line> {
        let headings = self.headings.iter().map(|heading| Cell::new(Tone::Heading, heading.to_uppercase())).collect();
        std::iter::once(&headings).chain(&self.rows).map(|row| across(row, widths)).collect()
    }

    /// A block a row: its first two cells on a line, the others with their headings below.
    fn blocks(&self) -> Vec<Line> {
        let labels = self.headings.iter().map(|heading| width(heading)).max().unwrap_or_default();
        let below = |row: &[Cell]| -> Vec<Line> {
            let cells = row.iter().zip(self.headings).skip(2).filter(|(cell, _)| !cell.text.is_empty());
            let line = |(cell, heading): (&Cell, &&str)| {
                Line::new(Tone::Quiet, format!("{GAP}{heading:<labels$}{GAP}")).with(cell.tone, &cell.text)
            };
            cells.map(line).collect()
        };
        let block = |row: &Vec<Cell>| {
            let first = row.iter().take(2).fold(Line::default(), |line, cell| {
                let gap = if line == Line::default() { "" } else { GAP };
                line.with(Tone::Plain, gap).with(Tone::Heading, &cell.text)
            });
            std::iter::once(first).chain(below(row))
        };
        self.rows.iter().flat_map(block).collect()
    }
}

/// One row across, each cell but the last filled up to its column's width.
fn across(row: &[Cell], widths: &[usize]) -> Line {
    let last = row.len().saturating_sub(1);
    row.iter().zip(widths).enumerate().fold(Line::default(), |line, (column, (cell, wide))| {
        let line = line.with(cell.tone, &cell.text);
        match column == last {
            true => line,
            false => line.with(Tone::Plain, " ".repeat(wide - width(&cell.text)) + GAP),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(table: &Table, columns: Option<usize>) -> Vec<String> {
        table.lines(columns).iter().map(|line| line.shown(false)).collect()
    }

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table = Table::new(&["#", "name", "state", "rest"]);
        table.push(["0", "Leser 読", "well", "x"].map(Cell::plain).to_vec());
        table.push(["1", "b", "a sentence that is longer than its column"].map(Cell::plain).to_vec());
        let wide = [
            "#  NAME      STATE  REST",
            "0  Leser 読  well   x",
            "1  b         a sentence that is longer than its column",
        ];
        assert_eq!(shown(&table, None), wide);
        assert_eq!(shown(&table, Some(80)), wide);
        let narrow = [
            "0  Leser 読",
            "  state  well",
            "  rest   x",
            "1  b",
            "  state  a sentence that is longer than its column",
        ];
        assert_eq!(shown(&table, Some(79)), narrow);
    }

    #[test]
    fn what_is_wider_than_the_terminal_is_told_in_blocks() {
        let mut table = Table::new(&["#", "name", "rest"]);
        table.push(vec![Cell::plain("0"), Cell::plain("a"), Cell::plain("x".repeat(95))]);
        assert_eq!(shown(&table, Some(100)).len(), 2);
        assert!(shown(&table, Some(100))[0].starts_with("0  a"));
        assert!(shown(&table, Some(104))[0].starts_with('#'));
    }
}
