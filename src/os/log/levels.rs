//! Lines on standard error with the priority that journald is to keep them under (sd-daemon(3)): `<3>` an error, `<4>` a warning.

use std::io::{self, Write};

/// Writes whole lines, each after its priority. A line that is indented belongs to the one before it.
pub(super) struct LevelLines<W> {
    out: W,
    line: Vec<u8>,
    level: &'static str,
}

impl<W: Write> LevelLines<W> {
    pub fn new(out: W) -> Self {
        Self { out, line: Vec::new(), level: "" }
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.level = match self.line.as_slice() {
            line if line.starts_with(b"error") => "<3>",
            line if line.starts_with(b"warning") => "<4>",
            line if line.starts_with(b" ") => self.level,
            _ => "",
        };
        let written = self.out.write_all(&[self.level.as_bytes(), &self.line].concat());
        self.line.clear();
        written
    }
}

impl<W: Write> Write for LevelLines<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(part);
            if part.ends_with(b"\n") {
                self.end_line()?;
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_priority_with_its_causes_and_its_hint() {
        let mut lines = LevelLines::new(Vec::new());
        for (name, rest) in [("error: ", "no\n  hint: do\n"), ("warn", "ing: hm\n"), ("· ", "open\n  more\n")] {
            write!(lines, "{name}{rest}").unwrap();
        }
        write!(lines, "error: cut").unwrap();
        lines.flush().unwrap();
        let said = String::from_utf8(lines.out).unwrap();
        assert_eq!(said, "<3>error: no\n<3>  hint: do\n<4>warning: hm\n· open\n  more\n<3>error: cut");
    }
}
