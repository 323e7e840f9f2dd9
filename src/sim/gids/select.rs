//! SELECT (ISO 7816-4:2005 §7.1.1) and the life cycle of files: CREATE, ACTIVATE, DELETE FILE
//! (ISO 7816-9).

use super::files::{ADMIN_KEY, APPLICATION, Condition, File, Kind};
use super::{Command, GidsCard, Outcome, Session, sw};

/// Full AID: RID, PIX, GIDS revision, vendor byte. Nine bytes name any GIDS card.
const AID: [u8; 11] = *b"\xA0\x00\x00\x03\x97\x42\x54\x46\x59\x02\x01";
const AID_MIN: usize = 9;
/// Application template: AID, and the authentication protocols that let Windows use the short
/// challenge (73/40).
const FCI: &[u8] = b"\x61\x12\x4F\x0B\xA0\x00\x00\x03\x97\x42\x54\x46\x59\x02\x01\x73\x03\x40\x01\xC0";
/// File control parameters: DF; children are created and deleted by user or administrator.
const FCP: &[u8] = b"\x62\x08\x82\x01\x38\x8C\x03\x03\x30\x30";
/// File management data: PIN usage policy and extended header list.
const FMD: &[u8] = b"\x64\x09\x5F\x2F\x01\x60\x7F\x65\x02\x80\x00";

/// SELECT by application identifier, of whichever application. All else is refused before it.
pub(super) fn names_application(command: &Command) -> bool {
    command.cla & 0xFC == 0 && command.ins == 0xA4 && command.p1 == 0x04
}

pub(super) fn selects_this_application(command: &Command) -> bool {
    names_application(command) && command.data.len() >= AID_MIN && AID.starts_with(command.data)
}

impl GidsCard {
    /// Selecting the application wipes the session, also when it was selected before.
    pub(super) fn select_application(&mut self, p2: u8) -> Outcome {
        let answer = match p2 {
            0x00 => FCI,
            0x04 => FCP,
            0x08 => FMD,
            0x0C => &[],
            _ => return Err(sw::WRONG_P1P2),
        };
        self.session = Session::new(true);
        Ok(answer.to_vec())
    }

    /// SELECT of anything else: an absent application leaves this one selected and everything
    /// pending; a file becomes the current one, which touches no authentication either.
    pub(super) fn select(&mut self, command: &Command) -> Outcome {
        match (command.p1, command.p2) {
            (0x04, _) => Err(sw::FILE_NOT_FOUND),
            (0x00, 0x0C) => {
                let &[high, low] = command.data else {
                    return Err(sw::WRONG_LENGTH);
                };
                let id = u16::from_be_bytes([high, low]);
                if id != APPLICATION && self.files.get(id).is_none() {
                    return Err(sw::FILE_NOT_FOUND);
                }
                self.session.current = id;
                Ok(Vec::new())
            }
            _ => Err(sw::WRONG_P1P2),
        }
    }

    /// CREATE FILE. The new file becomes the current one and waits for its activation.
    pub(super) fn create_file(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0 {
            return Err(sw::WRONG_P1P2);
        }
        self.allowed(Condition::USER_OR_ADMIN, true)?;
        let file = File::from_template(command.data)?;
        let id = file.id;
        let is_new = self.files.get(id).is_none();
        if is_new && file.kind == Kind::Key && id != ADMIN_KEY && self.files.key_files() >= self.key_files_max {
            return Err(sw::NO_SPACE);
        }
        self.files.create(file)?;
        self.session.current = id;
        Ok(Vec::new())
    }

    /// ACTIVATE FILE on the current file; on the application it ends the blank life cycle.
    pub(super) fn activate_file(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0 {
            return Err(sw::WRONG_P1P2);
        }
        if !command.data.is_empty() {
            return Err(sw::WRONG_LENGTH);
        }
        self.allowed(Condition::USER_OR_ADMIN, true)?;
        if self.session.current == APPLICATION {
            // A card in use without PIN and key could never be administered again.
            if !self.pin.is_set() || !self.admin.is_set() {
                return Err(sw::CONDITIONS);
            }
            self.active = true;
            return Ok(Vec::new());
        }
        let file = self.files.get_mut(self.session.current);
        file.ok_or(sw::FILE_NOT_FOUND)?.active = true;
        Ok(Vec::new())
    }

    /// DELETE FILE on the current file. The application stays, and so does the admin key.
    pub(super) fn delete_file(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0 {
            return Err(sw::WRONG_P1P2);
        }
        if !command.data.is_empty() {
            return Err(sw::WRONG_LENGTH);
        }
        let id = self.session.current;
        if id == APPLICATION || (self.active && id == ADMIN_KEY) {
            return Err(sw::CONDITIONS);
        }
        self.allowed(Condition::USER_OR_ADMIN, true)?;
        self.files.delete(id)?;
        self.session.current = APPLICATION;
        Ok(Vec::new())
    }

    /// Whether the admin key file exists, so that a key can be put into it and be named.
    pub(super) fn has_admin_key_file(&self) -> bool {
        let file = self.files.get(ADMIN_KEY);
        file.is_some_and(|file| file.kind == Kind::Key)
    }
}
