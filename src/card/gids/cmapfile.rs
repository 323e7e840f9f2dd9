//! The file `mscp\cmapfile`: one record for each container, by which Windows and OpenSC find its key.

use crate::card::key_slot::KeyUsage;

/// Name (40 characters of two bytes), flags, a reserved byte, and two key sizes.
const RECORD: usize = 86;
const NAME: usize = 80;
/// Characters of the longest name; a NUL follows.
pub const NAME_MAX: usize = 39;

const FLAGS: usize = 80;
const SIGNATURE_BITS: usize = 82;
const EXCHANGE_BITS: usize = 84;

const VALID: u8 = 0x01;
const DEFAULT: u8 = 0x02;

/// The table. Records that are not written stay as they were, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerMap {
    records: Vec<[u8; RECORD]>,
}

/// What a record says of its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What its key is for.
    pub usage: KeyUsage,
    /// Bits of the key.
    pub bits: u16,
}

impl ContainerMap {
    /// Reads the file; `None` where it does not end with a record's end.
    #[must_use]
    pub fn parse(file: &[u8]) -> Option<Self> {
        let (records, rest) = file.as_chunks::<RECORD>();
        rest.is_empty().then(|| Self { records: records.to_vec() })
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.records.concat()
    }

    /// Containers, used or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// The container with this number; `None` where there is none, or none that is valid. One with two keys has an exchange key.
    #[must_use]
    pub fn container(&self, index: u8) -> Option<Container> {
        let record = self.records.get(usize::from(index)).filter(|record| record[FLAGS] & VALID != 0)?;
        let bits = |at: usize| u16::from_le_bytes([record[at], record[at + 1]]);
        let (usage, bits) = match (bits(EXCHANGE_BITS), bits(SIGNATURE_BITS)) {
            (0, signature @ 1..) => (KeyUsage::Signature, signature),
            (exchange, _) => (KeyUsage::Exchange, exchange),
        };
        let units: Vec<u16> = record[..NAME].as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
        let name = units.get(..end).map(String::from_utf16_lossy).unwrap_or_default();
        Some(Container { name, usage, bits })
    }

    /// Whether a valid container has this name; Windows tells containers by it.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        (0..=u8::MAX).take(self.count()).any(|index| self.container(index).is_some_and(|known| known.name == name))
    }

    /// Writes a container's record. The first valid one is the default container. `false` and unchanged for a name that is too
    /// long or empty.
    #[must_use]
    pub fn set(&mut self, index: u8, container: &Container) -> bool {
        let units: Vec<u16> = container.name.encode_utf16().collect();
        if units.is_empty() || units.len() > NAME_MAX || units.contains(&0) {
            return false;
        }
        let is_first = self.records.iter().all(|record| record[FLAGS] & VALID == 0);
        let mut record = [0; RECORD];
        for (to, unit) in record.as_chunks_mut::<2>().0.iter_mut().zip(units) {
            *to = unit.to_le_bytes();
        }
        record[FLAGS] = if is_first { VALID | DEFAULT } else { VALID };
        let at = match container.usage {
            KeyUsage::Exchange => EXCHANGE_BITS,
            KeyUsage::Signature => SIGNATURE_BITS,
        };
        [record[at], record[at + 1]] = container.bits.to_le_bytes();
        self.put(index, record);
        true
    }

    /// Empties a container's record. Records are never moved: a container's number is the place of its record.
    pub fn clear(&mut self, index: u8) {
        if usize::from(index) < self.count() {
            self.put(index, [0; RECORD]);
        }
    }

    /// Makes the table as long as another one is.
    pub fn extend(&mut self, count: usize) {
        self.records.resize(count.max(self.count()), [0; RECORD]);
    }

    fn put(&mut self, index: u8, record: [u8; RECORD]) {
        let index = usize::from(index);
        self.extend(index + 1);
        if let Some(place) = self.records.get_mut(index) {
            *place = record;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a measured enrollment has written it.
    const MEASURED: &str = "7B00370066003300630030006600370061002D0031003100310031002D0032003200320032002D0033003300330033002D00\
        3400340034003400350035003500350036003600360036007D0000000000030000000008";

    fn measured() -> Container {
        Container { name: "{7f3c0f7a-1111-2222-3333-444455556666}".to_owned(), usage: KeyUsage::Exchange, bits: 2048 }
    }

    #[test]
    fn a_record_is_written_as_measured_and_read_back() {
        let mut map = ContainerMap::parse(&[]).unwrap();
        assert!(map.set(0, &measured()));
        assert_eq!(hex::encode_upper(map.bytes()), MEASURED);
        assert_eq!(ContainerMap::parse(&map.bytes()).unwrap().container(0), Some(measured()));
        assert!(map.has_name(&measured().name) && !map.has_name("{}"));

        let signature = Container { name: "second".to_owned(), usage: KeyUsage::Signature, bits: 2048 };
        assert!(map.set(2, &signature));
        assert_eq!((map.count(), map.container(1), map.container(2)), (3, None, Some(signature)));
        assert_eq!(map.bytes()[2 * RECORD + FLAGS], VALID, "the default stays the default");
        map.clear(0);
        map.clear(9);
        assert_eq!((map.count(), map.container(0)), (3, None));
    }

    #[test]
    fn names_that_windows_could_not_read_are_not_written() {
        let mut map = ContainerMap::parse(&[]).unwrap();
        for name in [String::new(), "x".repeat(NAME_MAX + 1), "a\0b".to_owned()] {
            assert!(!map.set(0, &Container { name, ..measured() }));
        }
        assert!(map.set(0, &Container { name: "x".repeat(NAME_MAX), ..measured() }));
        assert_eq!(map.container(0).unwrap().name.len(), NAME_MAX);
        assert!(ContainerMap::parse(&[0; RECORD - 1]).is_none());
        // All 40 characters, and no NUL: whoever wrote it.
        let full = [vec![0x41; NAME], vec![VALID, 0, 0, 0, 0, 8]].concat();
        assert_eq!(ContainerMap::parse(&full).unwrap().container(0).unwrap().name.chars().count(), 40);
    }
}
