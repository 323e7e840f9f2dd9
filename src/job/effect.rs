//! What a job has done to its card so far: which proof it has shown, and what it has changed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What has become of a proof (an answer, a code, a PIN) that gives the right to write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofState {
    /// It was not shown to the card: no try can be spent.
    #[default]
    NotShown,
    /// It was sent, or was about to be, and the card's word on it is not known: a try may be spent.
    Shown,
    /// The card took it, and counts its tries anew.
    Accepted,
    /// The card refused it and may have counted that.
    Refused,
}

/// What has become of one thing on the card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Change {
    /// It is as it was before the job.
    #[default]
    AsBefore,
    /// It is the new one.
    New {
        /// The card has shown that it is: it has verified the PIN, proved the key, given the certificate back.
        verified: bool,
    },
    /// It is as it was or new: the card's answer to the write did not arrive, or contradicts itself.
    Unknown,
}

impl Change {
    /// Whether somebody has to look at it.
    #[must_use]
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::New { verified: false } | Self::Unknown)
    }

    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AsBefore => "as-before",
            Self::New { .. } => "new",
            Self::Unknown => "unknown",
        }
    }
}

/// What a job has done to its card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effect {
    /// The proof that was shown last.
    pub proof: ProofState,
    /// The user PIN.
    pub pin: Change,
    /// The admin key or management key.
    pub admin_key: Change,
    /// The key pair of the slot that the job writes to.
    pub key_slot: Change,
    /// The certificate.
    pub certificate: Change,
    /// All that it holds of keys and certificates: new once that is erased.
    pub contents: Change,
}

impl Effect {
    /// Nothing was shown and nothing changed: the job may be done anew as if it had not begun.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What was done by a hold of the card that came after this one.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let last = |before, after| if after == Change::AsBefore { before } else { after };
        Self {
            proof: later.proof,
            pin: last(self.pin, later.pin),
            admin_key: last(self.admin_key, later.admin_key),
            key_slot: last(self.key_slot, later.key_slot),
            certificate: last(self.certificate, later.certificate),
            contents: last(self.contents, later.contents),
        }
    }

    /// Whether a try of the proof may be spent.
    #[must_use]
    pub fn try_may_be_spent(&self) -> bool {
        matches!(self.proof, ProofState::Shown | ProofState::Refused)
    }

    /// The state of the card in one word.
    #[must_use]
    pub fn card_state(&self) -> CardState {
        match self.pin {
            Change::Unknown => CardState::Unknown,
            Change::New { verified: false } => CardState::PinSet,
            _ if self.others().any(Change::needs_attention) => CardState::Unknown,
            Change::New { verified: true } => CardState::Changed,
            Change::AsBefore if self.others().any(|change| change != Change::AsBefore) => CardState::Changed,
            Change::AsBefore if self.try_may_be_spent() => CardState::TrySpent,
            Change::AsBefore => CardState::Untouched,
        }
    }

    /// What state the card is in now, in words: that of the PIN as [`CardState`] has it, unless something else needs attention.
    #[must_use]
    pub fn told(&self) -> String {
        let mut parts: Vec<String> = [
            (self.admin_key, "admin key", "has not proved it"),
            (self.key_slot, "key pair", "has not told its public key"),
            (self.certificate, "certificate", "has not given it back"),
        ]
        .into_iter()
        .filter_map(|(change, thing, unverified)| match change {
            Change::Unknown => Some(format!("it may have the {thing} that it had or the new one")),
            Change::New { verified: false } => Some(format!("it was given the new {thing}, and {unverified}")),
            Change::AsBefore | Change::New { verified: true } => None,
        })
        .collect();
        if self.contents.needs_attention() {
            parts.push("some of its keys and certificates may be erased".to_owned());
        }
        match (parts.is_empty(), self.pin) {
            (true, _) if self.card_state() == CardState::Changed => self.news(),
            (true, _) => self.card_state().to_string(),
            (false, Change::AsBefore | Change::New { verified: true }) => parts.join("; "),
            (false, Change::New { verified: false } | Change::Unknown) => {
                format!("{}; {}", self.card_state(), parts.join("; "))
            }
        }
    }

    /// What the card has shown that it has now, and what a refused authentication may have cost.
    fn news(&self) -> String {
        let pin = match self.pin {
            Change::New { .. } => "it has its new PIN, and has verified it",
            Change::AsBefore | Change::Unknown => "its PIN is as it was",
        };
        let new = |change, told| (change != Change::AsBefore).then_some(told);
        let told = [
            Some(pin),
            new(self.admin_key, "it has its new admin key, and has proved it"),
            new(self.key_slot, "it has a new key pair"),
            new(self.certificate, "it has a new certificate, which was read back"),
            new(self.contents, "what it held of keys and certificates is erased, as far as such a card can"),
            self.try_may_be_spent().then_some("a refused authentication may have cost a try"),
        ];
        told.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn others(&self) -> impl Iterator<Item = Change> {
        [self.admin_key, self.key_slot, self.certificate, self.contents].into_iter()
    }
}

/// What is known of the card after a failure: the values of `card_state` in JSON. A PIN step ends with the first four alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardState {
    /// As before: nothing was written.
    Untouched,
    /// As before, but the card has refused an authentication and may have counted it.
    TrySpent,
    /// The new PIN was set, and not verified.
    PinSet,
    /// Set or not: the card's answer to the write did not arrive.
    Unknown,
    /// It has something new, and has shown that: an enrollment has come to a stage beyond it.
    Changed,
}

impl CardState {
    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::TrySpent => "untouched-try-spent",
            Self::PinSet => "pin-set-not-verified",
            Self::Unknown => "unknown",
            Self::Changed => "changed",
        }
    }

    /// Whether somebody has to look at the card.
    #[must_use]
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::PinSet | Self::Unknown)
    }
}

impl fmt::Display for CardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untouched => "untouched: its PIN is as it was",
            Self::TrySpent => "its PIN is as it was; the refused authentication may have cost a try",
            Self::PinSet => "the new PIN was set, but the card has not verified it",
            Self::Unknown => "unknown: the card may have the new PIN or the old one (or another, where it set one and then refused it)",
            Self::Changed => "what was written to it is in it",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_the_card_follows_from_what_was_shown_and_changed() {
        let shown = |proof| Effect { proof, ..Effect::default() };
        let pin = |proof, pin| Effect { proof, pin, ..Effect::default() };
        let cases = [
            (Effect::default(), CardState::Untouched),
            (shown(ProofState::Accepted), CardState::Untouched),
            (shown(ProofState::Shown), CardState::TrySpent),
            (shown(ProofState::Refused), CardState::TrySpent),
            (pin(ProofState::Accepted, Change::New { verified: false }), CardState::PinSet),
            (pin(ProofState::Accepted, Change::Unknown), CardState::Unknown),
            (pin(ProofState::Refused, Change::Unknown), CardState::Unknown),
            (Effect { key_slot: Change::Unknown, ..Effect::default() }, CardState::Unknown),
            (pin(ProofState::Accepted, Change::New { verified: true }), CardState::Changed),
            (Effect { admin_key: Change::New { verified: true }, ..Effect::default() }, CardState::Changed),
            (
                Effect { pin: Change::New { verified: true }, admin_key: Change::Unknown, ..Effect::default() },
                CardState::Unknown,
            ),
        ];
        for (effect, state) in cases {
            assert_eq!(effect.card_state(), state, "{effect:?}");
            assert_eq!(effect.is_none(), effect == Effect::default());
        }
    }

    #[test]
    fn what_needs_attention_is_told_by_its_name() {
        let told = |effect: Effect| effect.told();
        assert_eq!(told(Effect::default()), CardState::Untouched.to_string());
        let admin_key = Effect { admin_key: Change::Unknown, ..Effect::default() };
        assert_eq!(told(admin_key), "it may have the admin key that it had or the new one");
        let unproved = Effect { admin_key: Change::New { verified: false }, ..Effect::default() };
        assert_eq!(told(unproved), "it was given the new admin key, and has not proved it");
        let both = Effect { pin: Change::Unknown, certificate: Change::Unknown, ..Effect::default() };
        assert!(told(both).contains("new PIN") && told(both).contains("certificate"), "{}", told(both));
        let wiping = Effect { contents: Change::Unknown, ..Effect::default() };
        assert_eq!(told(wiping), "some of its keys and certificates may be erased");
        let done = Effect { pin: Change::New { verified: true }, key_slot: Change::Unknown, ..Effect::default() };
        assert!(!told(done).contains("PIN") && done.card_state() == CardState::Unknown, "{}", told(done));
    }

    #[test]
    fn what_is_new_is_told_where_nothing_needs_attention() {
        let new = Change::New { verified: true };
        let cases = [
            (Effect { pin: new, ..Effect::default() }, "it has its new PIN, and has verified it"),
            (
                Effect { pin: new, proof: ProofState::Refused, ..Effect::default() },
                "it has its new PIN, and has verified it; a refused authentication may have cost a try",
            ),
            (
                Effect { key_slot: new, certificate: new, ..Effect::default() },
                "its PIN is as it was; it has a new key pair; it has a new certificate, which was read back",
            ),
            (
                Effect { contents: new, ..Effect::default() },
                "its PIN is as it was; what it held of keys and certificates is erased, as far as such a card can",
            ),
        ];
        for (effect, told) in cases {
            assert_eq!(effect.told(), told);
        }
    }
}
