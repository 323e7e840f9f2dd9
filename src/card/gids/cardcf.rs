//! The file `cardcf`: counters by which Windows knows that what it remembers of a card is out of date.

/// Version, counter of PINs, and two counters of two bytes.
const LENGTH: usize = 6;

/// What is about to change on the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A key, and the tables of containers.
    Containers,
    /// A certificate, and the table of files.
    Files,
}

/// The file with the counter of `change` one higher; after the highest number comes 0, and any other number says "changed". `None`
/// where the file has another form.
#[must_use]
pub fn counted(file: &[u8], change: Change) -> Option<[u8; LENGTH]> {
    let [version, pins, containers @ .., files_low, files_high] = file else { return None };
    let containers = u16::from_le_bytes(containers.try_into().ok()?);
    let files = u16::from_le_bytes([*files_low, *files_high]);
    let (containers, files) = match change {
        Change::Containers => (containers.wrapping_add(1), files),
        Change::Files => (containers, files.wrapping_add(1)),
    };
    let ([a, b], [c, d]) = (containers.to_le_bytes(), files.to_le_bytes());
    Some([*version, *pins, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_counter_is_counted() {
        assert_eq!(counted(&[0, 0, 0, 0, 0, 0], Change::Containers), Some([0, 0, 1, 0, 0, 0]));
        assert_eq!(counted(&[0, 9, 1, 0, 0xFF, 0], Change::Files), Some([0, 9, 1, 0, 0, 1]));
        assert_eq!(counted(&[1, 0, 0xFF, 0xFF, 7, 0], Change::Containers), Some([1, 0, 0, 0, 7, 0]));
        for length in (0..12).filter(|length| *length != LENGTH) {
            assert_eq!(counted(&vec![0; length], Change::Files), None);
        }
    }
}
