//! Command APDUs as a card reads them (ISO 7816-3 §12.1): short ones, and for a card that knows them those of extended length.

/// One well-formed command.
pub(super) struct Command<'a> {
    /// Class byte, chaining and channel bits included.
    pub(super) cla: u8,
    /// Instruction.
    pub(super) ins: u8,
    /// First parameter.
    pub(super) p1: u8,
    /// Second parameter.
    pub(super) p2: u8,
    /// Command data; empty in cases 1 and 2.
    pub(super) data: &'a [u8],
    /// Length asked for, 1..=256 (65,536 with extended length); `None` in cases 1 and 3.
    pub(super) le: Option<usize>,
}

/// The command is no APDU that the card knows: too few bytes, Lc at odds with the length, or extended length.
#[derive(Debug)]
pub(super) struct Malformed;

impl<'a> Command<'a> {
    /// Splits the bytes. Extended length falls under [`Malformed`]: the cards here say so in EF.ATR.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (&[cla, ins, p1, p2], body) = bytes.split_first_chunk::<4>().ok_or(Malformed)?;
        let (data, le) = match body {
            [] => (&[][..], None),
            [le] => (&[][..], Some(expected(*le))),
            // Lc = 00 with bytes after it announces extended length.
            [0, ..] => return Err(Malformed),
            [lc, rest @ ..] => match rest.split_at_checked(usize::from(*lc)) {
                Some((data, [])) => (data, None),
                Some((data, [le])) => (data, Some(expected(*le))),
                _ => return Err(Malformed),
            },
        };
        Ok(Self { cla, ins, p1, p2, data, le })
    }

    /// The same for a card that knows extended length.
    pub(super) fn parse_extended(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (&[cla, ins, p1, p2], body) = bytes.split_first_chunk::<4>().ok_or(Malformed)?;
        let [0, high, low, rest @ ..] = body else { return Self::parse(bytes) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (data, le) = match rest {
            [] => (&[][..], Some(length)),
            rest => match rest.split_at_checked(length) {
                Some((data, [])) => (data, None),
                Some((data, [high, low])) => (data, Some(usize::from(u16::from_be_bytes([*high, *low])))),
                _ => return Err(Malformed),
            },
        };
        let le = le.map(|le| if le == 0 { 65_536 } else { le });
        Ok(Self { cla, ins, p1, p2, data, le })
    }

    /// P1 and P2 as one number, as file identifiers and tags are written.
    pub(super) fn p1p2(&self) -> u16 {
        u16::from_be_bytes([self.p1, self.p2])
    }

    /// Whether more blocks of the same command follow (ISO 7816-4:2005 §5.1.1.1).
    pub(super) fn chained(&self) -> bool {
        self.cla & 0x10 != 0
    }
}

/// First four bytes for a log, zero-filled; what follows may be a secret and is never kept.
pub(super) fn header(bytes: &[u8]) -> [u8; 4] {
    let mut header = [0; 4];
    for (to, from) in header.iter_mut().zip(bytes) {
        *to = *from;
    }
    header
}

fn expected(le: u8) -> usize {
    match le {
        0 => 256,
        n => usize::from(n),
    }
}
