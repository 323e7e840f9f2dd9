//! The file system of a GIDS card: elementary files with data objects, and their access rules.

use crate::sim::keys::CardKey;
use crate::sim::sw;
use crate::sim::tlv;

/// The application itself, as a file.
pub(super) const APPLICATION: u16 = 0x3FFF;
/// The administrator's key file (key reference 80).
pub(super) const ADMIN_KEY: u16 = 0xB080;
/// EF.ATR.
const EF_ATR: u16 = 0x2F01;
/// Measured limit of GidsApplet.
const MAX_OBJECTS: usize = 30;
/// More than any certificate; keeps a hostile length from costing memory.
const MAX_VALUE: usize = 32 * 1024;
const MAX_FILES: usize = 64;

/// Who is authenticated.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Roles {
    pub(super) user: bool,
    pub(super) admin: bool,
}

/// A security condition byte of the compact format (ISO 7816-4:2005 §5.4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition(pub(super) u8);

impl Condition {
    pub(super) const ALWAYS: Self = Self(0x00);
    pub(super) const NEVER: Self = Self(0xFF);
    pub(super) const USER_OR_ADMIN: Self = Self(0x30);

    /// Bits: 80 = all named roles needed instead of one, 20 = external or mutual authentication
    /// (administrator), 10 = user authentication (PIN).
    pub(super) fn holds(self, roles: Roles) -> bool {
        if self == Self::ALWAYS || self == Self::NEVER {
            return self == Self::ALWAYS;
        }
        let (user, admin) = (self.0 & 0x10 != 0, self.0 & 0x20 != 0);
        if self.0 & 0x80 != 0 {
            (user || admin) && (!user || roles.user) && (!admin || roles.admin)
        } else {
            (user && roles.user) || (admin && roles.admin)
        }
    }
}

/// What an elementary file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Holds data objects (file descriptor 39).
    Objects,
    /// Stands for a key (file descriptor 18).
    Key,
}

/// One elementary file.
// No derive(Debug): it would print private keys.
pub(super) struct File {
    pub(super) id: u16,
    pub(super) kind: Kind,
    pub(super) update: Condition,
    pub(super) read: Condition,
    /// Created but not yet activated: open to its maker, whatever the rules say.
    pub(super) active: bool,
    /// What a key pair in the file may be used for: tag of the template (B6, B8) and algorithm.
    pub(super) uses: Vec<(u8, u8)>,
    /// The key pair.
    pub(super) key: Option<CardKey>,
    objects: Vec<(u16, Vec<u8>)>,
}

impl File {
    pub(super) fn new(id: u16, kind: Kind, update: Condition, read: Condition) -> Self {
        Self { id, kind, update, read, active: false, uses: Vec::new(), key: None, objects: Vec::new() }
    }

    /// Reads a CREATE FILE template: `62 { 82 descriptor, 83 id, 8C access rules, … }`.
    pub(super) fn from_template(data: &[u8]) -> Result<Self, u16> {
        let (tag, body, rest) = tlv::element(data).ok_or(sw::DATA_INVALID)?;
        if tag != 0x62 || !rest.is_empty() {
            return Err(sw::DATA_INVALID);
        }
        let fields = tlv::elements(body).ok_or(sw::DATA_INVALID)?;
        let field = |wanted| {
            let found = fields.iter().find(|(tag, _)| *tag == wanted);
            found.map(|(_, value)| *value).ok_or(sw::DATA_INVALID)
        };
        let kind = match field(0x82)? {
            [0x39] => Kind::Objects,
            [0x18] => Kind::Key,
            _ => return Err(sw::DATA_INVALID),
        };
        let &[high, low] = field(0x83)? else {
            return Err(sw::DATA_INVALID);
        };
        let (update, read) = rules(field(0x8C)?).ok_or(sw::DATA_INVALID)?;
        let uses = match kind {
            Kind::Objects => Vec::new(),
            Kind::Key => uses(field(0xA5)?)?,
        };
        Ok(Self { uses, ..Self::new(u16::from_be_bytes([high, low]), kind, update, read) })
    }

    /// Every data object, in the order of creation.
    pub(super) fn objects(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.objects.iter().map(|(tag, value)| (*tag, value.as_slice()))
    }

    /// One data object.
    pub(super) fn object(&self, tag: u16) -> Option<&[u8]> {
        self.objects().find(|(t, _)| *t == tag).map(|(_, value)| value)
    }

    /// Makes room for a value, and gives it for writing.
    ///
    /// Writing is not atomic, and deliberately so: the new length counts at once, the bytes arrive
    /// later. At equal length the old bytes stay until they are overwritten. An empty value empties
    /// the object; emptying an empty object removes it (`None`).
    pub(super) fn open_object(&mut self, tag: u16, length: usize) -> Result<Option<&mut [u8]>, u16> {
        if length > MAX_VALUE {
            return Err(sw::NO_SPACE);
        }
        let found = self.objects.iter().position(|(t, _)| *t == tag);
        let index = match found {
            Some(index) => index,
            None if self.objects.len() >= MAX_OBJECTS => return Err(sw::NO_SPACE),
            None => {
                self.objects.push((tag, vec![0; length]));
                self.objects.len() - 1
            }
        };
        let was_empty = self.objects.get(index).is_some_and(|(_, v)| v.is_empty());
        if found.is_some() && was_empty && length == 0 {
            self.objects.remove(index);
            return Ok(None);
        }
        Ok(self.objects.get_mut(index).map(|(_, value)| {
            if value.len() != length {
                *value = vec![0; length];
            }
            value.as_mut_slice()
        }))
    }

    /// The object being written by a chain that [`Self::open_object`] began.
    pub(super) fn reopen_object(&mut self, tag: u16) -> Option<&mut [u8]> {
        let found = self.objects.iter_mut().find(|(t, _)| *t == tag);
        found.map(|(_, value)| value.as_mut_slice())
    }

    fn with(mut self, tag: u16, value: &[u8]) -> Self {
        self.objects.push((tag, value.to_vec()));
        self
    }
}

/// Uses of a key pair: templates B6 and B8 with algorithm, key reference and usage. The administrator's key has another template.
/// As measured, whatever key reference they name counts for the file's own key.
fn uses(templates: &[u8]) -> Result<Vec<(u8, u8)>, u16> {
    let mut uses = Vec::new();
    for (tag, template) in tlv::elements(templates).ok_or(sw::DATA_INVALID)? {
        let fields = tlv::elements(template).ok_or(sw::DATA_INVALID)?;
        let algorithm = fields.iter().find(|(tag, _)| *tag == 0x80).map(|(_, value)| *value);
        match (u8::try_from(tag), algorithm) {
            (Ok(tag @ (0xB6 | 0xB8)), Some(&[algorithm])) => uses.push((tag, algorithm)),
            (Ok(0xA4), Some(_)) => {}
            _ => return Err(sw::DATA_INVALID),
        }
    }
    Ok(uses)
}

/// Access mode byte and its conditions, high bit first; gives (update, read). Bit 80 marks rules by
/// instruction, which key files use for the same two bits.
fn rules(compact: &[u8]) -> Option<(Condition, Condition)> {
    let (mode, mut conditions) = compact.split_first()?;
    let (mut update, mut read) = (Condition::NEVER, Condition::NEVER);
    for bit in (0..7).rev() {
        if mode & (1 << bit) == 0 {
            continue;
        }
        let (condition, rest) = conditions.split_first()?;
        conditions = rest;
        match bit {
            1 => update = Condition(*condition),
            0 => read = Condition(*condition),
            _ => {}
        }
    }
    conditions.is_empty().then_some((update, read))
}

/// All elementary files of the card.
pub(super) struct Files(Vec<File>);

impl Files {
    /// A card fresh from the factory: EF.ATR alone. Its third capability byte says: command
    /// chaining yes, extended length no.
    pub(super) fn blank() -> Self {
        let mut atr = File::new(EF_ATR, Kind::Objects, Condition::NEVER, Condition::ALWAYS)
            .with(0x43, &[0xF4])
            .with(0x47, &[0x08, 0x01, 0x80])
            .with(0x46, b"MySmartLogon");
        atr.active = true;
        Self(vec![atr])
    }

    /// The published profile ("Microsoft generic"): file numbers and rules of a minidriver card.
    pub(super) fn personalised(card_id: &[u8; 16]) -> Self {
        let object_file = |id, update, read| File::new(id, Kind::Objects, Condition(update), Condition(read));
        let mut files = Self::blank();
        files.0.extend([
            object_file(0xA000, 0x30, 0x00).with(0xDF1F, &master_file()),
            object_file(0xA010, 0x30, 0x00).with(0xDF21, b"mscp\0\0\0\0").with(0xDF22, &[0; 6]).with(0xDF23, &[]),
            object_file(0xA011, 0x30, 0xFF),
            object_file(0xA012, 0x20, 0x00).with(0xDF20, card_id),
            object_file(0xA013, 0x30, 0x30),
            object_file(0xA014, 0x20, 0x20),
            File::new(ADMIN_KEY, Kind::Key, Condition(0x20), Condition::NEVER),
        ]);
        for file in &mut files.0 {
            file.active = true;
        }
        files
    }

    pub(super) fn get(&self, id: u16) -> Option<&File> {
        self.0.iter().find(|file| file.id == id)
    }

    pub(super) fn get_mut(&mut self, id: u16) -> Option<&mut File> {
        self.0.iter_mut().find(|file| file.id == id)
    }

    /// Files with a key pair, or made for one.
    pub(super) fn key_files(&self) -> usize {
        self.0.iter().filter(|file| file.kind == Kind::Key && file.id != ADMIN_KEY).count()
    }

    pub(super) fn create(&mut self, file: File) -> Result<(), u16> {
        if file.id == APPLICATION || self.get(file.id).is_some() {
            return Err(sw::DATA_INVALID);
        }
        if self.0.len() >= MAX_FILES {
            return Err(sw::NO_SPACE);
        }
        self.0.push(file);
        Ok(())
    }

    pub(super) fn delete(&mut self, id: u16) -> Result<(), u16> {
        if id == EF_ATR || self.get(id).is_none() {
            return Err(sw::SECURITY);
        }
        self.0.retain(|file| file.id != id);
        Ok(())
    }
}

/// `01`, then 28-byte records: directory, file name, padding, object and file number.
fn master_file() -> Vec<u8> {
    const RECORDS: [(&str, &str, u32, u32); 5] = [
        ("mscp", "", 0, 0xA000),
        ("", "cardid", 0xDF20, 0xA012),
        ("", "cardapps", 0xDF21, 0xA010),
        ("", "cardcf", 0xDF22, 0xA010),
        ("mscp", "cmapfile", 0xDF23, 0xA010),
    ];
    let mut content = vec![0x01];
    for (directory, name, object, file) in RECORDS {
        for text in [directory, name] {
            content.extend(text.bytes().chain(std::iter::repeat(0)).take(9));
        }
        content.extend([0, 0]);
        content.extend(object.to_le_bytes());
        content.extend(file.to_le_bytes());
    }
    content
}
