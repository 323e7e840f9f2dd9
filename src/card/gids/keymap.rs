//! The key map of a GIDS card: one record for each container, which says in which file and of which algorithm its key is.

use crate::card::key_slot::KeyUsage;

/// State, algorithm, kind of key, key file, `FFFF`, two bytes without a meaning.
const RECORD: usize = 12;
const VERSION: u8 = 0x01;

const IN_USE: [u8; 4] = [1, 0, 0, 0];
const EXCHANGE: u8 = 0x9A;
const SIGNATURE: u8 = 0x9C;
const UNUSED: [u8; RECORD] = [0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0];

/// The table. Records that are not written stay as they were, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMap {
    version: u8,
    records: Vec<[u8; RECORD]>,
}

impl KeyMap {
    /// The table of a card that has never had a key.
    #[must_use]
    pub fn empty() -> Self {
        Self { version: VERSION, records: Vec::new() }
    }

    /// Reads the data object; `None` where it has no version or does not end with a record's end.
    #[must_use]
    pub fn parse(object: &[u8]) -> Option<Self> {
        let (version, records) = object.split_first()?;
        let (records, rest) = records.as_chunks::<RECORD>();
        rest.is_empty().then(|| Self { version: *version, records: records.to_vec() })
    }

    /// The data object.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        [&[self.version], self.records.as_flattened()].concat()
    }

    /// Containers, used or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// What the key of this container is for; `None` where it has none.
    #[must_use]
    pub fn usage(&self, index: u8) -> Option<KeyUsage> {
        match self.records.get(usize::from(index))? {
            [1, 0, 0, 0, _, SIGNATURE, ..] => Some(KeyUsage::Signature),
            [0, 0, 0, 0, ..] => None,
            _ => Some(KeyUsage::Exchange),
        }
    }

    /// Writes a container's record.
    pub fn set(&mut self, index: u8, usage: KeyUsage, algorithm: u8, file: u16) {
        let kind = match usage {
            KeyUsage::Exchange => EXCHANGE,
            KeyUsage::Signature => SIGNATURE,
        };
        let mut record = UNUSED;
        let head = IN_USE.into_iter().chain([algorithm, kind]).chain(file.to_le_bytes());
        record.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        self.put(index, record);
    }

    /// Empties a container's record.
    pub fn clear(&mut self, index: u8) {
        if usize::from(index) < self.count() {
            self.put(index, UNUSED);
        }
    }

    /// Makes the table as long as another one is: OpenSC makes no key on a card whose two tables differ in that.
    pub fn extend(&mut self, count: usize) {
        self.records.resize(count.max(self.count()), UNUSED);
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

    #[test]
    fn records_are_written_as_measured_and_read_back() {
        let mut map = KeyMap::empty();
        map.set(0, KeyUsage::Exchange, 0x07, 0xB081);
        assert_eq!(hex::encode_upper(map.bytes()), "0101000000079A81B0FFFF0000");
        assert_eq!(KeyMap::parse(&map.bytes()).unwrap(), map);
        map.set(2, KeyUsage::Signature, 0x07, 0xB083);
        let usages: Vec<_> = (0..4).map(|index| map.usage(index)).collect();
        assert_eq!(usages, [Some(KeyUsage::Exchange), None, Some(KeyUsage::Signature), None]);
        map.clear(2);
        map.clear(0);
        map.clear(9);
        let unused = "00000000000".to_owned() + "0FFFFFFFF0000";
        assert_eq!(hex::encode_upper(map.bytes()), format!("01{}", unused.repeat(3)));
        assert_eq!(KeyMap::parse(&[]), None);
        assert_eq!(KeyMap::parse(&[1; 12]), None);
        assert_eq!(KeyMap::parse(&[1]), Some(KeyMap::empty()));
    }
}
