//! The GIDS master file: a table that says in which elementary file and data object each named file is kept.

/// The file that holds the card ID.
pub const CARD_ID: &str = "cardid";

/// One record: directory, name, two pad bytes, data object and file as 32-bit little-endian numbers.
const RECORD: usize = 28;
const NAME: usize = 9;

/// Where a file is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The elementary file.
    pub file: u16,
    /// The data object in it.
    pub object: u32,
}

/// Finds a file of the root directory. `None` where the table has no such record; a record cut off at the end and records
/// that name no file are passed over.
#[must_use]
pub fn locate(table: &[u8], name: &str) -> Option<Location> {
    // The table's first byte is its version.
    let records = table.get(1..)?;
    records.chunks_exact(RECORD).find_map(|record| {
        let (directory, rest) = record.split_at(NAME);
        let (file_name, rest) = rest.split_at(NAME);
        let named = text(directory).is_empty() && text(file_name).eq_ignore_ascii_case(name.as_bytes());
        let object = number(rest.get(2..6)?)?;
        let file = u16::try_from(number(rest.get(6..10)?)?).ok()?;
        (named && object != 0 && file != 0).then_some(Location { file, object })
    })
}

/// The names of the certificate files: `kxcNN` (key exchange) and `kscNN` (signature) in the directory `mscp`.
#[must_use]
pub fn certificates(table: &[u8]) -> Vec<String> {
    let records = table.get(1..).unwrap_or_default().chunks_exact(RECORD);
    records
        .filter_map(|record| {
            let (directory, rest) = record.split_at(NAME);
            let name = String::from_utf8_lossy(text(rest.get(..NAME)?)).to_lowercase();
            let is_certificate = (name.starts_with("kxc") || name.starts_with("ksc"))
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            (text(directory).eq_ignore_ascii_case(b"mscp") && is_certificate).then(|| format!("mscp/{name}"))
        })
        .collect()
}

/// A name up to its first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As written by OpenSC 0.23 on a fresh card.
    const TABLE: &str = "016D736370000000000000000000000000000000000000000000A0000000000000000000000063617264696400\
        0000000020DF000012A00000000000000000000000636172646170707300000021DF000010A0000000000000000000000063617264636600\
        0000000022DF000010A000006D7363700000000000636D617066696C6500000023DF000010A00000";

    #[test]
    fn the_card_id_is_found_where_the_table_says() {
        let table = hex::decode(TABLE).unwrap();
        assert_eq!(locate(&table, CARD_ID), Some(Location { file: 0xA012, object: 0xDF20 }));
        assert_eq!(locate(&table, "cmapfile"), None, "that one is in the directory mscp");
        assert_eq!(locate(&table, "nosuch"), None);
    }

    #[test]
    fn a_table_of_any_shape_is_survived() {
        let table = hex::decode(TABLE).unwrap();
        for end in 0..table.len() {
            assert!(end > 45 || locate(&table[..end], CARD_ID).is_none());
        }
        assert_eq!(locate(&[], CARD_ID), None);
    }
}
