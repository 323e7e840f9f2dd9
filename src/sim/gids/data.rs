//! GET DATA, PUT DATA and command chaining (ISO 7816-4:2005 §7.4 and §5.1.1.1; GIDS profile).

use super::files::{APPLICATION, File};
use super::{Command, GidsCard, Outcome, sw, tlv};

/// Upper bound of a chained PUT KEY; an admin key takes 38 bytes.
const KEY_MAX: usize = 2048;

/// A command in several blocks, not finished yet.
pub(super) enum Chain {
    /// Begun with an instruction that knows no chaining: refuses everything until SELECT.
    Broken,
    /// PUT DATA into a file; `written` of the value's bytes have arrived.
    Object { file: u16, tag: u16, written: usize },
    /// PUT DATA for a key, kept until complete.
    Key(Vec<u8>),
    /// PERFORM SECURITY OPERATION with more data than one command carries.
    Operation { p1p2: u16, data: Vec<u8> },
}

impl GidsCard {
    /// The first block of a chain that this card cannot take.
    pub(super) fn refuse_chain(&mut self, command: &Command) -> Outcome {
        if command.ins == 0x47 {
            return Err(sw::UNSUPPORTED);
        }
        self.session.chain = Some(Chain::Broken);
        Err(sw::CHAINING)
    }

    /// A further block; the chain has been taken out of the session and is put back while it lives.
    /// Any foreign command is refused and the chain stays open; an error in a block ends it.
    pub(super) fn continue_chain(&mut self, chain: Chain, command: &Command) -> Outcome {
        let file = match &chain {
            Chain::Broken => None,
            Chain::Object { file, .. } => Some(*file),
            Chain::Key(_) => Some(APPLICATION),
            Chain::Operation { p1p2, .. } => Some(*p1p2),
        };
        let instruction = if matches!(chain, Chain::Operation { .. }) { 0x2A } else { 0xDB };
        if command.ins != instruction || file != Some(command.p1p2()) {
            self.session.chain = Some(chain);
            return Err(sw::CHAINING);
        }
        match chain {
            Chain::Broken => Err(sw::CHAINING),
            Chain::Object { file, tag, written } => self.write(file, tag, written, command),
            Chain::Key(mut so_far) => {
                so_far.extend_from_slice(command.data);
                self.collect_key(so_far, command.chained())
            }
            Chain::Operation { data, .. } => self.collect_operation(data, command),
        }
    }

    /// Data of a security operation in blocks.
    pub(super) fn collect_operation(&mut self, mut data: Vec<u8>, command: &Command) -> Outcome {
        data.extend_from_slice(command.data);
        if data.len() > KEY_MAX {
            return Err(sw::WRONG_LENGTH);
        }
        if !command.chained() {
            return self.perform_operation(command.p1p2(), &data, true);
        }
        self.session.chain = Some(Chain::Operation { p1p2: command.p1p2(), data });
        Ok(Vec::new())
    }

    /// PUT DATA: one data object per command or chain.
    pub(super) fn put_data(&mut self, command: &Command) -> Outcome {
        if command.p1p2() == APPLICATION {
            self.may_put_key()?;
            return self.collect_key(command.data.to_vec(), command.chained());
        }
        let id = command.p1p2();
        let file = self.files.get(id).ok_or(sw::FILE_NOT_FOUND)?;
        self.allowed(file.update, file.active)?;
        let head = tlv::head(command.data).ok_or(sw::DATA_INVALID)?;
        let value = command.data.get(head.size..).ok_or(sw::DATA_INVALID)?;
        let too_much = value.len() > head.length;
        if too_much || (!command.chained() && value.len() != head.length) {
            return Err(sw::DATA_INVALID);
        }
        let file = self.files.get_mut(id).ok_or(sw::FILE_NOT_FOUND)?;
        if file.open_object(head.tag, head.length)?.is_none() {
            return Ok(Vec::new());
        }
        let rest = Command { data: value, ..*command };
        self.write(id, head.tag, 0, &rest)
    }

    fn write(&mut self, id: u16, tag: u16, written: usize, command: &Command) -> Outcome {
        let file = self.files.get_mut(id).ok_or(sw::FILE_NOT_FOUND)?;
        let value = file.reopen_object(tag).ok_or(sw::DATA_INVALID)?;
        let end = written + command.data.len();
        let complete = end == value.len();
        let space = value.get_mut(written..end).ok_or(sw::DATA_INVALID)?;
        space.copy_from_slice(command.data);
        if command.chained() {
            self.session.chain = Some(Chain::Object { file: id, tag, written: end });
        } else if !complete {
            // The object was made before the error: head and zeros (or the old tail) stay on the card.
            return Err(sw::DATA_INVALID);
        }
        Ok(Vec::new())
    }

    fn collect_key(&mut self, so_far: Vec<u8>, more: bool) -> Outcome {
        if so_far.len() > KEY_MAX {
            return Err(sw::NO_SPACE);
        }
        if !more {
            return self.put_key(&so_far);
        }
        self.session.chain = Some(Chain::Key(so_far));
        Ok(Vec::new())
    }

    /// GET DATA with a tag list (5C). An empty list asks for everything in the file.
    pub(super) fn get_data(&mut self, command: &Command) -> Outcome {
        if command.p1p2() == APPLICATION {
            return self.application_data(command.data);
        }
        let file = self.files.get(command.p1p2()).ok_or(sw::FILE_NOT_FOUND)?;
        self.allowed(file.read, file.active)?;
        let tags = tag_list(command.data)?;
        collect(file, &tags)
    }

    /// Data objects of the application itself: PIN status and public keys. A PUK (7F73) does not exist here.
    fn application_data(&self, data: &[u8]) -> Outcome {
        if let Some((0x70, body, [])) = tlv::element(data) {
            return self.public_key(body);
        }
        let tags = tag_list(data)?;
        // Measured: a one-byte tag (7E, what PIV cards have here) is refused as invalid data.
        if tags.is_empty() || tags.iter().any(|tag| *tag <= 0xFF) {
            return Err(sw::DATA_INVALID);
        }
        let mut out = Vec::new();
        for tag in tags {
            if !matches!(tag, 0x7F71 | 0x7F72) {
                return Err(sw::NOT_FOUND);
            }
            let status = [0x97, 0x01, self.pin.left(), 0x93, 0x01, self.pin.limit()];
            tlv::write(&mut out, tag, &status);
        }
        Ok(out)
    }
}

fn tag_list(data: &[u8]) -> Result<Vec<u16>, u16> {
    let Some((0x5C, mut list, [])) = tlv::element(data) else {
        return Err(sw::DATA_INVALID);
    };
    let mut tags = Vec::new();
    while !list.is_empty() {
        let (tag, size) = tlv::tag(list).ok_or(sw::DATA_INVALID)?;
        tags.push(tag);
        list = list.get(size..).unwrap_or_default();
    }
    Ok(tags)
}

fn collect(file: &File, tags: &[u16]) -> Outcome {
    let mut out = Vec::new();
    if tags.is_empty() {
        for (tag, value) in file.objects() {
            tlv::write(&mut out, tag, value);
        }
    }
    for tag in tags {
        let value = file.object(*tag).ok_or(sw::NOT_FOUND)?;
        tlv::write(&mut out, *tag, value);
    }
    Ok(out)
}
