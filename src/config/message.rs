//! The TOML parser's messages without the values that they quote, since one of them may be a secret that stands in the wrong
//! place (`admin_key = "0102…"`).

/// The longest word that is shown: a short plain word is more likely a misspelt choice than a secret.
const WORD_MAX: usize = 20;

/// The message with no text and no number of the file's values in it. Names of keys stay.
pub(super) fn without_values(message: &str) -> String {
    let hidden = |end: &str| {
        let from = message.find(['`', '"'])?;
        let to = message.rfind(end)?;
        // The library's own words may hold quotes as well, after the value.
        (from < to).then(|| (&message[..from], &message[from + 1..to], &message[to..]))
    };
    if message.starts_with("unknown variant ") {
        return match hidden("`, expected ") {
            Some((_, word, _)) if is_plain(word) => message.to_owned(),
            Some((head, _, tail)) => format!("{}{}", head.trim_end(), tail.trim_start_matches('`')),
            None => "unknown variant".to_owned(),
        };
    }
    let quotes = message.starts_with("invalid type: ") || message.starts_with("invalid value: ");
    if quotes && let Some((head, _, tail)) = hidden(", expected ") {
        return format!("{}{tail}", head.trim_end());
    }
    message.to_owned()
}

fn is_plain(word: &str) -> bool {
    word.len() <= WORD_MAX && word.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn values_are_left_out_and_words_stay() {
        let cases = [
            (
                "unknown variant `puk`, expected one of `server`, `a`",
                "unknown variant `puk`, expected one of `server`, `a`",
            ),
            ("unknown variant `0102`, expected `policy` or `x`", "unknown variant, expected `policy` or `x`"),
            ("unknown variant `1`, expected 2`, expected `x`", "unknown variant, expected `x`"),
            ("invalid type: string \"8765\", expected u8", "invalid type: string, expected u8"),
            ("invalid type: string \"1, expected 2\", expected u8", "invalid type: string, expected u8"),
            ("invalid value: integer `8765`, expected u8", "invalid value: integer, expected u8"),
            ("invalid type: map, expected a string", "invalid type: map, expected a string"),
            ("unknown field `token`, expected `url`", "unknown field `token`, expected `url`"),
        ];
        for (message, expected) in cases {
            assert_eq!(without_values(message), expected);
        }
    }
}
