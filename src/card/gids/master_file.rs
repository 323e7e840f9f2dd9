//! The GIDS master file: a table that says in which elementary file and data object each named file is kept.

/// The file that holds the card ID.
pub const CARD_ID: &str = "cardid";

/// One record: directory, name, two pad bytes, data object and file as 32-bit little-endian numbers.
const RECORD: usize = 28;
const NAME: usize = 9;
const VERSION: u8 = 0x01;

/// The directory of containers and certificates.
const MSCP: &[u8] = b"mscp";

/// Data objects that certificates may have: from the first one behind `cardapps`, `cardcf` and `cmapfile` to the last one with a
/// tag of two bytes.
const FREE_OBJECTS: std::ops::RangeInclusive<u32> = 0xDF24..=0xDF7F;

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

/// Finds a file of the directory `mscp`, as [`locate`] does one of the root.
#[must_use]
pub fn locate_in_mscp(table: &[u8], name: &str) -> Option<Location> {
    records(table).find(|record| record.is(MSCP, name)).and_then(|record| record.location())
}

/// The lowest data object of the file that no record names, behind the three that every card has. A certificate that a power cut
/// has kept out of the table is written over by the next one.
#[must_use]
pub fn free_object(table: &[u8], file: u16) -> Option<u32> {
    let used: Vec<Location> = records(table).filter_map(|record| record.location()).collect();
    FREE_OBJECTS.into_iter().find(|object| !used.contains(&Location { file, object: *object }))
}

/// The table in which the file of the directory `mscp` is kept there: its record is changed where it has one, else added.
#[must_use]
pub fn with(table: &[u8], name: &str, location: Location) -> Vec<u8> {
    let mut written = false;
    let changed: Vec<u8> = records(table)
        .flat_map(|record| match record.is(MSCP, name) && !std::mem::replace(&mut written, true) {
            true => record_of(name, location),
            false => *record.0,
        })
        .collect();
    let added = if written { Vec::new() } else { record_of(name, location).to_vec() };
    let version = table.first().copied().unwrap_or(VERSION);
    [vec![version], changed, added].concat()
}

/// The table without the file of the directory `mscp`.
#[must_use]
pub fn without(table: &[u8], name: &str) -> Vec<u8> {
    let kept = records(table).filter(|record| !record.is(MSCP, name)).flat_map(|record| *record.0);
    table.first().copied().into_iter().chain(kept).collect()
}

/// One record.
struct Record<'t>(&'t [u8; RECORD]);

impl Record<'_> {
    fn is(&self, directory: &[u8], name: &str) -> bool {
        text(&self.0[..NAME]).eq_ignore_ascii_case(directory)
            && text(&self.0[NAME..2 * NAME]).eq_ignore_ascii_case(name.as_bytes())
    }

    fn location(&self) -> Option<Location> {
        let object = number(self.0.get(20..24)?)?;
        let file = u16::try_from(number(self.0.get(24..28)?)?).ok()?;
        (object != 0 && file != 0).then_some(Location { file, object })
    }
}

/// A record cut off at the end is passed over.
fn records(table: &[u8]) -> impl Iterator<Item = Record<'_>> {
    table.get(1..).unwrap_or_default().as_chunks::<RECORD>().0.iter().map(Record)
}

fn record_of(name: &str, location: Location) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let fields = [(0, MSCP), (NAME, name.as_bytes())];
    let numbers = [(20, location.object.to_le_bytes()), (24, u32::from(location.file).to_le_bytes())];
    for (at, bytes) in fields.into_iter().chain(numbers.iter().map(|(at, bytes)| (*at, &bytes[..]))) {
        record.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    }
    record
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

    /// As a measured enrollment has written it.
    #[test]
    fn a_certificate_is_entered_as_measured_changed_and_removed() {
        let table = hex::decode(TABLE).unwrap();
        assert_eq!(locate_in_mscp(&table, "cmapfile"), Some(Location { file: 0xA010, object: 0xDF23 }));
        assert_eq!(free_object(&table, 0xA010), Some(0xDF24));
        let place = Location { file: 0xA010, object: 0xDF24 };
        let entered = with(&table, "kxc00", place);
        let record = "6D73637000000000006B7863303000000000000024DF000010A00000";
        assert_eq!(hex::encode_upper(&entered), format!("{TABLE}{record}"));
        assert_eq!(certificates(&entered), ["mscp/kxc00"]);
        assert_eq!(locate_in_mscp(&entered, "KXC00"), Some(place));
        assert_eq!(free_object(&entered, 0xA010), Some(0xDF25));

        let moved = with(&entered, "kxc00", Location { object: 0xDF25, ..place });
        assert_eq!(moved.len(), entered.len());
        assert_eq!(locate_in_mscp(&moved, "kxc00").unwrap().object, 0xDF25);
        assert_eq!(without(&moved, "kxc00"), table);
        assert_eq!(without(&table, "kxc00"), table);
        assert_eq!(with(&[], "kxc00", place).len(), 1 + RECORD);
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
