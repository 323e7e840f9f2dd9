//! Who may do what with a file, a folder or a pipe of Windows: users by their SIDs, entries of access control lists, and what is too much.
//!
//! Nothing here asks the system, so it is tried on every one.

use std::fmt;

/// The length of the longest SID: a head of 8 bytes and 15 numbers.
const SID_MAX: usize = 68;

/// The bytes of a SID before its numbers.
const SID_HEAD: usize = 8;

/// A user, a group or a service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sid {
    bytes: [u8; SID_MAX],
    length: usize,
}

impl Sid {
    /// The machine itself.
    pub const SYSTEM: Self = Self::new(5, &[18]);
    /// Administrators of the machine.
    pub const ADMINISTRATORS: Self = Self::new(5, &[32, 544]);
    /// Who owns the files of Windows.
    pub const TRUSTED_INSTALLER: Self =
        Self::new(5, &[80, 956_008_885, 3_418_522_649, 1_831_038_044, 1_853_292_631, 2_271_478_464]);
    /// The users of the machine and of its domain.
    pub const USERS: Self = Self::new(5, &[32, 545]);
    /// Every process that the service manager has started as a service.
    pub const SERVICE: Self = Self::new(5, &[6]);

    /// `S-1-authority-number-…`.
    const fn new(authority: u8, numbers: &[u32]) -> Self {
        let mut bytes = [0; SID_MAX];
        bytes[0] = 1;
        // At most 15 by the size of the array.
        bytes[1] = numbers.len() as u8;
        bytes[7] = authority;
        let mut at = 0;
        while at < numbers.len() {
            let number = numbers[at].to_le_bytes();
            let mut byte = 0;
            while byte < number.len() {
                bytes[SID_HEAD + 4 * at + byte] = number[byte];
                byte += 1;
            }
            at += 1;
        }
        Self { bytes, length: SID_HEAD + 4 * numbers.len() }
    }

    /// A SID as Windows lays it out; `None` where the bytes are none, or not all of them.
    pub fn of_bytes(found: &[u8]) -> Option<Self> {
        let length = SID_HEAD + 4 * usize::from(*found.get(1)?);
        let found = found.get(..length).filter(|found| found.first() == Some(&1))?;
        let mut bytes = [0; SID_MAX];
        bytes.get_mut(..length)?.copy_from_slice(found);
        Some(Self { bytes, length })
    }

    /// The service of this name (`NT SERVICE\name`): by the SHA-1 of the name in capitals, as Windows makes it.
    pub fn of_service(name: &str) -> Self {
        let text: Vec<u8> = name.to_uppercase().encode_utf16().flat_map(u16::to_le_bytes).collect();
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &text);
        let mut numbers = [80, 0, 0, 0, 0, 0];
        for (number, bytes) in numbers.iter_mut().skip(1).zip(digest.as_ref().chunks_exact(4)) {
            *number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        Self::new(5, &numbers)
    }

    /// Its bytes, as Windows lays them out.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn authority(&self) -> u64 {
        self.bytes.iter().skip(2).take(6).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn numbers(&self) -> impl Iterator<Item = u32> {
        let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        self.bytes().get(SID_HEAD..).unwrap_or_default().chunks_exact(4).map(number)
    }

    /// Whether it stands for so many that a secret which it may read is none: everybody, who has signed in, users and guests of the
    /// machine or of its domain, whoever sits at it or comes over the network.
    pub fn is_broad(&self) -> bool {
        let numbers: Vec<u32> = self.numbers().collect();
        match (self.authority(), numbers.as_slice()) {
            (1, [0]) | (5, [2 | 4 | 7 | 11 | 15] | [32, 545 | 546]) => true,
            // Domain Users, Domain Guests and Domain Computers.
            (5, [21, _, _, _, 513..=515]) => true,
            _ => false,
        }
    }

    /// Whether it stands for whoever owns the thing, or will: no one besides the owner gets a right by it.
    fn is_owner(&self) -> bool {
        let numbers: Vec<u32> = self.numbers().collect();
        self.authority() == 3 && matches!(numbers.as_slice(), [0 | 4])
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority())?;
        self.numbers().try_for_each(|number| write!(f, "-{number}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Rights to a file or a folder (`ACCESS_MASK`).
pub mod rights {
    /// Reading what it holds, with what stands for that.
    pub const READ: u32 = 0x1 | GENERIC_READ | GENERIC_ALL;
    /// Changing what it holds, removing it, or giving oneself the right to.
    pub const CHANGE: u32 = 0x2 | 0x4 | DELETE_CHILD | DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL;
    /// Putting something else in the place of what is in a folder, or of the folder.
    pub const REPLACE: u32 = DELETE_CHILD | DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_ALL;
    /// Talking over a pipe, without the right to make another one of its name: reading, writing, and looking at it.
    pub const TALK: u32 = 0x0012_019B;

    const DELETE_CHILD: u32 = 0x40;
    const DELETE: u32 = 0x1_0000;
    const WRITE_DAC: u32 = 0x4_0000;
    const WRITE_OWNER: u32 = 0x8_0000;
    const GENERIC_ALL: u32 = 0x1000_0000;
    const GENERIC_WRITE: u32 = 0x4000_0000;
    const GENERIC_READ: u32 = 0x8000_0000;
}

/// An entry that gives rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// To whom; `None` where the entry is of a kind that is not understood: to anybody, then.
    pub who: Option<Sid>,
    /// Which.
    pub rights: u32,
}

impl Given {
    /// What an entry of a list gives (`ACE_HEADER` and what follows). `None` where it gives nothing here: it takes rights, is for the
    /// log, or only for what will be made inside. What one entry gives and another one takes counts as given.
    pub fn of_bytes(entry: &[u8]) -> Option<Self> {
        const INHERIT_ONLY: u8 = 0x08;
        let (kind, flags) = (*entry.first()?, *entry.get(1)?);
        if flags & INHERIT_ONLY != 0 {
            return None;
        }
        let mask: [u8; 4] = entry.get(4..8)?.try_into().ok()?;
        let rights = u32::from_le_bytes(mask);
        match kind {
            // ACCESS_ALLOWED_ACE_TYPE, and with a condition.
            0x00 | 0x09 => Some(Self { who: entry.get(8..).and_then(Sid::of_bytes), rights }),
            // For kinds of objects, which files are none of.
            0x04 | 0x05 | 0x0B => Some(Self { who: None, rights }),
            _ => None,
        }
    }
}

/// Owner and list of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Who owns it, and may always give the others rights.
    pub owner: Sid,
    /// What is given; `None` where there is no list at all, and everybody may do everything.
    pub given: Option<Vec<Given>>,
}

/// Who has too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMuch {
    /// It belongs to somebody else.
    Owner(Sid),
    /// An entry gives it to this one.
    To(Sid),
    /// There is no list, or an entry that is not understood.
    Anybody,
}

impl Access {
    /// The first one besides the trusted who owns it or has one of these rights.
    pub fn beyond(&self, trusted: &[Sid], rights: u32) -> Option<TooMuch> {
        if !trusted.contains(&self.owner) {
            return Some(TooMuch::Owner(self.owner));
        }
        let Some(given) = &self.given else { return Some(TooMuch::Anybody) };
        let too_much = given.iter().filter(|given| given.rights & rights != 0);
        let mut who = too_much.map(|given| given.who.map_or(TooMuch::Anybody, TooMuch::To));
        who.find(|who| !matches!(who, TooMuch::To(sid) if trusted.contains(sid) || sid.is_owner()))
    }

    /// The first one who may read it and stands for many.
    pub fn readable_by_many(&self) -> Option<TooMuch> {
        let Some(given) = &self.given else { return Some(TooMuch::Anybody) };
        let readers = given.iter().filter(|given| given.rights & rights::READ != 0);
        let mut who = readers.map(|given| given.who.map_or(TooMuch::Anybody, TooMuch::To));
        who.find(|who| matches!(who, TooMuch::Anybody) || matches!(who, TooMuch::To(sid) if sid.is_broad()))
    }
}

/// The security descriptor, as text, of a folder for `owner` and these others alone besides administrators and the system; what is
/// made inside inherits it, and it inherits nothing.
pub fn private_folder(owner: &Sid, others: &[(Sid, Share)]) -> String {
    let others = others.iter().map(|(who, share)| {
        let rights = match share {
            Share::All => "FA",
            Share::Read => "0x1200a9",
        };
        format!("(A;OICI;{rights};;;{who})")
    });
    format!("O:{owner}D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA){}", others.collect::<String>())
}

/// What one of the others may do in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Everything.
    All,
    /// Read what is there.
    Read,
}

/// The security descriptor, as text, of a pipe of `owner` on which `clients` may talk.
pub fn pipe(owner: &Sid, clients: Option<&Sid>) -> String {
    let talk = rights::TALK;
    let clients = clients.map(|clients| format!("(A;;{talk:#x};;;{clients})")).unwrap_or_default();
    // The system and administrators talk as well, and make no pipe of this name either.
    format!("O:{owner}D:P(A;;FA;;;{owner})(A;;{talk:#x};;;SY)(A;;{talk:#x};;;BA){clients}")
}

/// The security descriptor, as text, of a process whose memory is nobody's business: its own user may see that it is there, wait for
/// its end and end it. The right of an owner to give rights is taken.
pub fn closed_process(owner: &Sid) -> String {
    format!("D:P(A;;0x101001;;;OW)(A;;0x101001;;;{owner})(A;;0x1fffff;;;SY)(A;;0x101401;;;BA)")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYBODY: Sid = Sid::new(1, &[0]);
    const USERS: Sid = Sid::USERS;
    const ANNA: Sid = Sid::new(5, &[21, 1, 2, 3, 1001]);
    const CREATOR: Sid = Sid::new(3, &[0]);

    fn entry(kind: u8, flags: u8, rights: u32, who: &Sid) -> Vec<u8> {
        let size = u16::try_from(8 + who.bytes().len()).unwrap();
        [&[kind, flags][..], &size.to_le_bytes(), &rights.to_le_bytes(), who.bytes()].concat()
    }

    fn access(owner: Sid, entries: &[Vec<u8>]) -> Access {
        Access { owner, given: Some(entries.iter().filter_map(|entry| Given::of_bytes(entry)).collect()) }
    }

    #[test]
    fn a_sid_is_read_and_told() {
        for (sid, text) in [
            (Sid::SYSTEM, "S-1-5-18"),
            (Sid::ADMINISTRATORS, "S-1-5-32-544"),
            (Sid::SERVICE, "S-1-5-6"),
            (EVERYBODY, "S-1-1-0"),
            (ANNA, "S-1-5-21-1-2-3-1001"),
            // What `sc showsid TrustedInstaller` says.
            (Sid::of_service("TrustedInstaller"), "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"),
        ] {
            assert_eq!(sid.to_string(), text);
            assert_eq!(format!("{sid:?}"), text);
            assert_eq!(Sid::of_bytes(&[sid.bytes(), &[7, 7]].concat()), Some(sid), "what follows is not looked at");
        }
        assert_eq!(Sid::of_service("trustedinstaller"), Sid::TRUSTED_INSTALLER);
        for bytes in [&[][..], &[1, 1, 0, 0], &[2, 0, 0, 0, 0, 0, 0, 5], &[1, 200, 0, 0, 0, 0, 0, 5]] {
            assert_eq!(Sid::of_bytes(bytes), None, "{bytes:?}");
        }
        assert_eq!(
            Sid::of_bytes(&[vec![1, 16, 0, 0, 0, 0, 0, 5], vec![0; 64]].concat()),
            None,
            "16 numbers are too many"
        );
    }

    #[test]
    fn only_the_trusted_may_write() {
        let trusted = [Sid::SYSTEM, Sid::ADMINISTRATORS, Sid::TRUSTED_INSTALLER, ANNA];
        let full = 0x001F_01FF;
        let beyond = |owner, entries: &[Vec<u8>], rights| access(owner, entries).beyond(&trusted, rights);
        let own = [entry(0, 3, full, &Sid::SYSTEM), entry(0, 3, full, &ANNA), entry(0, 3, 0x0012_00A9, &USERS)];
        assert_eq!(beyond(ANNA, &own, rights::CHANGE), None);
        assert_eq!(beyond(USERS, &own, rights::CHANGE), Some(TooMuch::Owner(USERS)));
        // As C:\ProgramData has it: anybody makes files and folders there, and nobody removes those of others.
        let shared = [entry(0, 2, 0x0010_0116, &USERS), entry(0, 0x0B, 0x1000_0000, &CREATOR)];
        assert_eq!(beyond(Sid::SYSTEM, &shared, rights::REPLACE), None);
        assert_eq!(beyond(Sid::SYSTEM, &shared, rights::CHANGE), Some(TooMuch::To(USERS)));
        for right in [0x2, 0x4, 0x40, 0x1_0000, 0x4_0000, 0x8_0000, 0x1000_0000, 0x4000_0000] {
            let found = beyond(ANNA, &[entry(0, 0, right, &EVERYBODY)], rights::CHANGE);
            assert_eq!(found, Some(TooMuch::To(EVERYBODY)), "{right:#x}");
            assert_eq!(beyond(ANNA, &[entry(9, 0, right, &EVERYBODY)], rights::CHANGE), found, "with a condition");
            assert_eq!(beyond(ANNA, &[entry(5, 0, right, &ANNA)], rights::CHANGE), Some(TooMuch::Anybody));
            assert_eq!(beyond(ANNA, &[entry(0, 8, right, &EVERYBODY)], rights::CHANGE), None, "for what is inside");
            assert_eq!(beyond(ANNA, &[entry(1, 0, right, &EVERYBODY)], rights::CHANGE), None, "a denial");
            assert_eq!(beyond(ANNA, &[entry(0, 0, right, &CREATOR)], rights::CHANGE), None);
        }
        assert_eq!(beyond(ANNA, &[entry(0, 0, 2, &ANNA)[..9].to_vec()], rights::CHANGE), Some(TooMuch::Anybody));
        let open = Access { owner: ANNA, given: None };
        assert_eq!(open.beyond(&trusted, rights::REPLACE), Some(TooMuch::Anybody));
        assert_eq!(access(ANNA, &[]).beyond(&trusted, rights::CHANGE), None, "an empty list gives nothing");
    }

    #[test]
    fn a_secret_is_not_for_many() {
        let read = 0x0012_0089;
        let found = |who: &Sid| access(ANNA, &[entry(0, 0, read, who)]).readable_by_many();
        let broad = [
            EVERYBODY,
            USERS,
            Sid::new(5, &[11]),
            Sid::new(5, &[4]),
            Sid::new(5, &[32, 546]),
            Sid::new(5, &[21, 7, 8, 9, 513]),
        ];
        for who in broad {
            assert_eq!(found(&who), Some(TooMuch::To(who)), "{who}");
        }
        for who in [ANNA, Sid::SYSTEM, Sid::ADMINISTRATORS, Sid::of_service("pinwright"), Sid::SERVICE, CREATOR] {
            assert_eq!(found(&who), None, "{who}");
        }
        assert_eq!(access(ANNA, &[entry(0, 0, 0x0010_0080, &USERS)]).readable_by_many(), None, "that it is there");
        assert_eq!(Access { owner: ANNA, given: None }.readable_by_many(), Some(TooMuch::Anybody));
    }

    #[test]
    fn descriptors_give_what_they_say_and_no_more() {
        let service = Sid::of_service("pinwright");
        let text = private_folder(&Sid::ADMINISTRATORS, &[(service, Share::All), (USERS, Share::Read)]);
        assert_eq!(
            text,
            format!(
                "O:S-1-5-32-544D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{service})(A;OICI;0x1200a9;;;S-1-5-32-545)"
            )
        );
        assert_eq!(0x0012_00A9 & rights::CHANGE, 0);
        assert!(private_folder(&ANNA, &[(ANNA, Share::All)]).ends_with("(A;OICI;FA;;;S-1-5-21-1-2-3-1001)"));
        // FILE_CREATE_PIPE_INSTANCE is FILE_APPEND_DATA.
        assert_eq!(rights::TALK & 0x4, 0);
        let talk = "(A;;0x12019b;;;S-1-5-32-545)";
        assert!(pipe(&ANNA, Some(&USERS)).ends_with(talk) && !pipe(&ANNA, None).contains(talk));
        // PROCESS_VM_READ (10), PROCESS_VM_WRITE (20), PROCESS_DUP_HANDLE (40), WRITE_DAC.
        assert_eq!(0x10_1001 & (0x10 | 0x20 | 0x40 | 0x4_0000), 0);
        assert!(closed_process(&ANNA).contains("(A;;0x101001;;;OW)"));
    }
}
