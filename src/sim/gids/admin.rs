//! The administrator: MANAGE SECURITY ENVIRONMENT, GENERAL AUTHENTICATE, PUT KEY
//! (ISO 7816-4:2005 §7.5; GIDS profile).

use super::{Challenge, Command, GidsCard, Outcome, sw, tlv};
use crate::sim::tdes;

/// Key reference of the administrator.
const KEY_REF: u8 = 0x80;
/// Host token of the mutual variant: R2, R1, Z1 and the padding byte 80.
const TOKEN: usize = 40;

/// The admin key, and how many wrong answers it has seen.
pub(super) struct AdminKey {
    key: Option<[u8; 24]>,
    limit: Option<u8>,
    left: Option<u8>,
    failures: usize,
}

impl AdminKey {
    pub(super) fn unset(limit: Option<u8>) -> Self {
        Self { key: None, limit, left: limit, failures: 0 }
    }

    pub(super) fn preset(&mut self, key: [u8; 24]) {
        self.key = Some(key);
    }

    pub(super) fn is(&self, key: &[u8; 24]) -> bool {
        self.key.as_ref() == Some(key)
    }

    pub(super) fn is_set(&self) -> bool {
        self.key.is_some()
    }

    pub(super) fn failures(&self) -> usize {
        self.failures
    }

    pub(super) fn locked(&self) -> bool {
        self.left == Some(0)
    }

    fn passed(&mut self) {
        self.left = self.limit;
    }

    fn failed(&mut self) {
        self.failures += 1;
        self.left = self.left.map(|left| left.saturating_sub(1));
    }
}

impl GidsCard {
    /// MSE SET for external or mutual authentication. Naming the key again keeps a challenge.
    pub(super) fn manage_security_environment(&mut self, command: &Command) -> Outcome {
        if !matches!((command.p1, command.p2), (0x41 | 0x81 | 0xC1, 0xA4 | 0xB6 | 0xB8)) {
            return Err(sw::WRONG_P1P2);
        }
        if command.p1 == 0x41 && command.p2 != 0xA4 {
            return self.choose_key(command);
        }
        if command.p1 == 0x41 || command.p2 != 0xA4 {
            return Err(sw::DATA_INVALID);
        }
        let fields = tlv::elements(command.data).ok_or(sw::DATA_INVALID)?;
        let mut named = false;
        for (tag, value) in fields {
            match (tag, value) {
                (0x83, [KEY_REF]) => named = true,
                (0x80, [_]) => {}
                _ => return Err(sw::DATA_INVALID),
            }
        }
        if !named || !self.has_admin_key_file() {
            return Err(sw::DATA_INVALID);
        }
        self.session.key_named = true;
        self.session.environment = None;
        Ok(Vec::new())
    }

    /// GENERAL AUTHENTICATE: `7C { 81 … }` asks for a challenge, `7C { 82 … }` answers one.
    pub(super) fn general_authenticate(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0 {
            return Err(sw::WRONG_P1P2);
        }
        if !self.active {
            return Err(sw::NOT_ALLOWED);
        }
        let (tag, value) = match tlv::element(command.data) {
            Some((0x7C, body, [])) => match tlv::element(body) {
                Some((tag, value, [])) => (tag, value),
                _ => return Err(sw::DATA_INVALID),
            },
            _ => return Err(sw::DATA_INVALID),
        };
        match tag {
            0x81 => self.give_challenge(value),
            0x82 => self.check_answer(value),
            _ => Err(sw::DATA_INVALID),
        }
    }

    /// Gives a new challenge, which ends the admin state.
    fn give_challenge(&mut self, host: &[u8]) -> Outcome {
        if self.admin.locked() {
            return Err(sw::BLOCKED);
        }
        if host.is_empty() && self.mutual_only {
            // As for every other length of the host's challenge.
            return Err(sw::DATA_INVALID);
        }
        let mut body = Vec::new();
        let challenge = if host.is_empty() {
            let card = self.random.take::<8>().ok_or(sw::INTERNAL)?;
            tlv::write(&mut body, 0x81, &card);
            Challenge::External(card)
        } else {
            let host = host.try_into().map_err(|_| sw::DATA_INVALID)?;
            let card = self.random.take::<16>().ok_or(sw::INTERNAL)?;
            tlv::write(&mut body, 0x81, &card);
            Challenge::Mutual { host, card }
        };
        self.session.roles.admin = false;
        self.session.challenge = Some(challenge);
        Ok(template(&body))
    }

    fn check_answer(&mut self, answer: &[u8]) -> Outcome {
        if answer.is_empty() || answer.len() > TOKEN {
            return Err(sw::DATA_INVALID);
        }
        if self.admin.locked() {
            return Err(sw::BLOCKED);
        }
        if self.session.challenge.is_none() {
            return Err(sw::CONDITIONS);
        }
        // Measured: without MSE the applet runs into a null pointer and the challenge survives.
        let key = match self.admin.key {
            Some(key) if self.session.key_named => key,
            _ => return Err(sw::INTERNAL),
        };
        // The challenge is used up from here on, whatever the result.
        let challenge = self.session.challenge.take();
        if !answer.len().is_multiple_of(tdes::BLOCK) {
            return Err(sw::INTERNAL);
        }
        let passed = match challenge {
            Some(Challenge::External(card)) => external(&key, card, answer),
            Some(Challenge::Mutual { host, card }) => {
                // The card's secret is drawn only when it will be sent.
                match mutual(&key, host, card, answer) {
                    true => Some(self.mutual_answer(&key, host, card)?),
                    false => None,
                }
            }
            None => None,
        };
        self.session.roles.admin = passed.is_some();
        match passed {
            Some(data) => {
                self.admin.passed();
                Ok(data)
            }
            None => {
                self.admin.failed();
                Err(sw::SECURITY)
            }
        }
    }

    /// E(R1, R2, Z2, 80): the card proves that it knows the key too.
    fn mutual_answer(&mut self, key: &[u8; 24], host: [u8; 16], card: [u8; 16]) -> Outcome {
        let secret = self.random.take::<7>().ok_or(sw::INTERNAL)?;
        let plain = [&host[..], &card, &secret, &[0x80]].concat();
        let mut body = Vec::new();
        tlv::write(&mut body, 0x82, &tdes::encrypt_cbc(key, &plain));
        Ok(template(&body))
    }

    /// Who may put a key: the administrator. The user's PIN does not suffice.
    pub(super) fn may_put_key(&self) -> Result<(), u16> {
        if self.active && !self.session.roles.admin {
            return Err(sw::SECURITY);
        }
        Ok(())
    }

    /// PUT KEY: `70 { 84 key reference, A5 { 87 key, 88 check value } }`. Counts at once; the admin
    /// state stays.
    pub(super) fn put_key(&mut self, data: &[u8]) -> Outcome {
        let Some((0x70, body, [])) = tlv::element(data) else {
            return Err(sw::DATA_INVALID);
        };
        let fields = tlv::elements(body).ok_or(sw::DATA_INVALID)?;
        let [(0x84, &[reference]), (0xA5, content)] = fields[..] else {
            return Err(sw::DATA_INVALID);
        };
        if reference != KEY_REF || !self.has_admin_key_file() {
            return Err(sw::NOT_FOUND);
        }
        let content = tlv::elements(content).ok_or(sw::DATA_INVALID)?;
        let (key, check) = match content[..] {
            [(0x87, key)] => (key, None),
            [(0x87, key), (0x88, check)] => (key, Some(check)),
            _ => return Err(sw::DATA_INVALID),
        };
        let key: [u8; 24] = key.try_into().map_err(|_| sw::DATA_INVALID)?;
        if self.check_kcv && check != Some(&tdes::check_value(&key)) {
            return Err(sw::DATA_INVALID);
        }
        self.admin.key = Some(key);
        self.admin.passed();
        Ok(Vec::new())
    }
}

/// Measured: only the first block is looked at, so a longer answer passes too.
fn external(key: &[u8; 24], card: [u8; 8], answer: &[u8]) -> Option<Vec<u8>> {
    let expected = tdes::encrypt_block(key, card);
    answer.starts_with(&expected).then(Vec::new)
}

fn mutual(key: &[u8; 24], host: [u8; 16], card: [u8; 16], token: &[u8]) -> bool {
    let plain = tdes::decrypt_cbc(key, token);
    let expected = [card, host].concat();
    plain.len() == TOKEN && plain.starts_with(&expected) && plain.ends_with(&[0x80])
}

fn template(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    tlv::write(&mut out, 0x7C, body);
    out
}
