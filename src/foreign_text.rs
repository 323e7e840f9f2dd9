//! Foreign text on its way to a terminal: names of readers, answers of servers and agents, keys of files. None of it may move
//! the cursor, set colours, or turn the direction of what stands beside it.

use std::borrow::Cow;

/// The text with every character that a terminal takes for a command, or shows as nothing, as an escape (`\u{1b}`): controls (C0,
/// DEL, C1; line ends and tabs too), marks of direction, invisible ones and other line ends of Unicode.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    replaced(text, |character| is_command(character).then(|| character.escape_default().to_string()))
}

/// The same of JSON text, in JSON's own escapes (`\u001b`), so that it is the same JSON still. Controls below U+0020 are escaped
/// in the strings of every JSON text, and only white space outside of them; they stay.
#[must_use]
pub fn escaped_json(text: &str) -> Cow<'_, str> {
    replaced(text, |character| (character >= ' ' && is_command(character)).then(|| json_escape(character)))
}

fn is_command(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

fn json_escape(character: char) -> String {
    let mut units = [0; 2];
    character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn replaced(text: &str, escape: impl Fn(char) -> Option<String>) -> Cow<'_, str> {
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match escape(character) {
            Some(escape) => out.push_str(&escape),
            None => out.push(character),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_the_rest_is_not() {
        for (text, shown) in [
            ("Gemalto PC Twin 00 00", "Gemalto PC Twin 00 00"),
            ("Lecteur à puce № 1 \u{1F4B3}", "Lecteur à puce № 1 \u{1F4B3}"),
            ("\u{1B}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"),
            ("\u{9B}2J", "\\u{9b}2J"),
            ("a\u{202E}b\u{2066}c\u{200F}", "a\\u{202e}b\\u{2066}c\\u{200f}"),
            ("two\nlines\r\t\u{2028}\u{7F}", "two\\nlines\\r\\t\\u{2028}\\u{7f}"),
            ("\u{FEFF}x\u{E0041}", "\\u{feff}x\\u{e0041}"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn json_says_the_same_after_it() {
        let text = "\u{1B}[0m\u{9B}\u{202E}\u{E0041}\n\u{7F} é \"";
        let json = serde_json::to_string(text).unwrap();
        let escaped = escaped_json(&json);
        assert!(escaped.contains("\\u009b\\u202e\\udb40\\udc41\\n\\u007f é"), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
    }
}
