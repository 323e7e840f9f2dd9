//! Which readers are left alone: `reader.ignore`.

/// Whether a reader's name is ignored. An entry with `*` in it is a pattern for the whole name, `*` standing for any text;
/// every other entry is a part of the name. Letters of either case count as they are written; an empty entry is none.
#[must_use]
pub fn is_ignored(name: &str, entries: &[String]) -> bool {
    entries.iter().filter(|entry| !entry.is_empty()).any(|entry| {
        let mut parts = entry.split('*');
        match (parts.next(), parts.next_back()) {
            (Some(first), Some(last)) => fits(name, first, parts, last),
            _ => name.contains(entry.as_str()),
        }
    })
}

/// Whether the name has this beginning, this end, and the parts between them in order.
fn fits<'a>(name: &str, first: &str, mut between: impl Iterator<Item = &'a str>, last: &str) -> bool {
    let rest = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    let Some(mut rest) = rest else { return false };
    between.all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_or_a_pattern_of_the_whole_name() {
        let name = "Windows Hello for Business 1";
        for entry in ["Hello", "Windows Hello*", "*Business 1", "*Hello*", "W*H*B*1", "*", name] {
            assert!(is_ignored(name, &[entry.to_owned()]), "{entry}");
        }
        for entry in
            ["", "hello", "Hello*", "*Business", "Windows Hello*2", "W*B*H*1", "Windows Hello for Business 1*1"]
        {
            assert!(!is_ignored(name, &[entry.to_owned()]), "{entry}");
        }
        assert!(is_ignored(name, &["x".to_owned(), "Hello".to_owned()]));
        assert!(!is_ignored(name, &[]));
    }
}
