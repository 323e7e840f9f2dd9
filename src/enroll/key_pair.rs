//! Which key pairs a request wants on this card, their generation, and the certificate requests that they sign.

use der::Encode as _;
use ring::digest::{self, SHA256};
use uuid::Builder;

use super::csr::{Csr, Unsigned, public_key_info};
use super::management::Rights;
use super::moment::{Moment, Note};
use super::next::KeyHash;
use super::rules::Rules;
use crate::card::{Family, Hash, KeySlot, KeyType, KeyUsage, PivSlot, PublicKey, SlotChoice, Vacant};
use crate::job::held::HeldCard;
use crate::job::stage_error::{CsrError, KeyOptionsProblem, StageError};
use crate::job::{Cause, Step};
use crate::server::wire::KeyOptions;

/// Bits of Windows' key usages that mean more than signing: 1 decrypt, 4 agree. 2 is sign.
const DECRYPT_OR_AGREE: u64 = 0b101;
const SIGN: u64 = 0b010;

/// What is made of one element of the server's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairPlan {
    /// Where.
    pub choice: SlotChoice,
    /// Of what.
    pub key_type: KeyType,
    /// With which hash the request is signed.
    pub hash: Hash,
    /// The subject's name; usually empty, the authority fills it.
    pub subject: String,
    /// The name of its container on a GIDS card.
    pub name: String,
}

/// What is made on a card of this family, in the order of the server's list. Nothing is asked or written.
///
/// # Errors
/// A family without key pairs; what the server wants can't be had on it, or is not allowed.
pub fn plan(options: &[KeyOptions], family: Family, rules: &Rules) -> Result<Vec<PairPlan>, StageError> {
    if family.key_types().is_empty() {
        return Err(StageError::no_keys(family));
    }
    let mut plans: Vec<PairPlan> = Vec::with_capacity(options.len());
    for wanted in options {
        let key_type = key_type(wanted, family)?;
        let hash = hash(wanted, key_type, rules)?;
        let usage = usage(wanted);
        let choice = match family {
            Family::Piv => piv_choice(usage, rules, &plans).ok_or(KeyOptionsProblem::Places {
                wanted: options.len(),
                family,
                places: plans.len(),
            })?,
            Family::Gids | Family::OpenPgp | Family::Iso7816 => SlotChoice::First(usage),
        };
        plans.push(PairPlan { choice, key_type, hash, subject: wanted.subject.clone(), name: fresh_name()? });
    }
    Ok(plans)
}

fn key_type(wanted: &KeyOptions, family: Family) -> Result<KeyType, KeyOptionsProblem> {
    let unknown = || KeyOptionsProblem::Algorithm { algorithm: wanted.algorithm.clone(), bits: wanted.bits };
    let key_type = match (wanted.algorithm.to_ascii_uppercase().as_str(), wanted.bits) {
        ("RSA", None | Some(2048)) => KeyType::Rsa2048,
        ("ECDSA_P256" | "ECDH_P256", None | Some(256)) => KeyType::P256,
        ("ECDSA_P384" | "ECDH_P384", None | Some(384)) => KeyType::P384,
        _ => return Err(unknown()),
    };
    if family.key_types().contains(&key_type) {
        return Ok(key_type);
    }
    let takes = family.key_types().iter().map(|key_type| key_type.name()).collect::<Vec<_>>().join(", ");
    Err(KeyOptionsProblem::KeyType { key_type, family, takes })
}

/// The policy's hash; where it names none, the one that is as strong as the key.
fn hash(wanted: &KeyOptions, key_type: KeyType, rules: &Rules) -> Result<Hash, KeyOptionsProblem> {
    let hash = match wanted.hash.to_ascii_uppercase().replace('-', "").as_str() {
        "" => Hash::of_key(key_type),
        "SHA1" if !rules.allow_sha1 => return Err(KeyOptionsProblem::Sha1),
        "SHA1" => Hash::Sha1,
        "SHA256" => Hash::Sha256,
        "SHA384" => Hash::Sha384,
        _ => return Err(KeyOptionsProblem::Hash { hash: wanted.hash.clone() }),
    };
    match (hash, key_type) {
        (Hash::Sha1, KeyType::P256 | KeyType::P384) => Err(KeyOptionsProblem::Pair { hash, key_type }),
        _ => Ok(hash),
    }
}

/// A key that signs and nothing else is one by the policy's word alone: where it says nothing, the key is of the usual use.
fn usage(wanted: &KeyOptions) -> KeyUsage {
    match wanted.usages & (DECRYPT_OR_AGREE | SIGN) {
        SIGN => KeyUsage::Signature,
        _ => KeyUsage::Exchange,
    }
}

/// The configured key for the first certificate, and for each further one the key of its use that is left.
fn piv_choice(usage: KeyUsage, rules: &Rules, before: &[PairPlan]) -> Option<SlotChoice> {
    let by_usage = match usage {
        KeyUsage::Exchange => [PivSlot::KeyManagement, PivSlot::Authentication, PivSlot::Signature],
        KeyUsage::Signature => [PivSlot::Signature, PivSlot::Authentication, PivSlot::KeyManagement],
    };
    let first = before.is_empty().then_some(rules.piv_slot);
    let named = |slot| SlotChoice::Named(KeySlot::Piv(slot));
    first.into_iter().chain(by_usage).map(named).find(|choice| before.iter().all(|plan| plan.choice != *choice))
}

/// A name as Windows gives containers: a GUID that nothing else has.
fn fresh_name() -> Result<String, KeyOptionsProblem> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(KeyOptionsProblem::NoRandomness)?;
    Ok(Builder::from_random_bytes(bytes).into_uuid().braced().to_string())
}

/// Makes the key pair, up to half a minute long: 10 commands on GIDS beside VERIFY, 2 on PIV beside the management key's proof.
/// **Costs a try of the PIN or the management key where the card has another one.**
///
/// # Errors
/// The card's refusal; no room left. No answer: the slot may have a key, and [`Effect::key_slot`] says that this is unknown.
///
/// [`Effect::key_slot`]: crate::job::effect::Effect::key_slot
pub fn generate(
    card: &mut HeldCard,
    place: &Vacant,
    plan: &PairPlan,
    rights: &mut Rights<'_>,
    note: Note<'_>,
) -> Result<PublicKey, Cause> {
    card.at(Step::GenerateKeyPair);
    rights.to_write(card, note)?;
    card.at(Step::GenerateKeyPair);
    note(Moment::AboutToGenerate)?;
    let key = card.generate(place, plan.key_type, &plan.name)?;
    note(Moment::Generated(key_hash(&key)?))?;
    Ok(key)
}

/// Has the card sign the certificate request of its key, which is checked with that key before it leaves. 2 commands on GIDS, 1 to 3
/// on PIV, and VERIFY. **Costs a PIN try where the card has another PIN.**
///
/// # Errors
/// A subject that is no name; the card's refusal, or no answer; a signature that does not verify.
pub fn sign(
    card: &mut HeldCard,
    slot: KeySlot,
    key: &PublicKey,
    plan: &PairPlan,
    rights: &Rights<'_>,
) -> Result<Csr, Cause> {
    card.at(Step::SignRequest);
    let unsigned = Unsigned::new(key, &plan.subject, plan.hash).map_err(StageError::from)?;
    let digest = unsigned.digest().map_err(StageError::from)?;
    match slot {
        KeySlot::Piv(PivSlot::CardAuthentication) => {}
        // It wants the PIN right before each signature.
        KeySlot::Piv(PivSlot::Signature) => card.verify_known(rights.pin)?,
        KeySlot::Piv(PivSlot::Authentication | PivSlot::KeyManagement) | KeySlot::Container { .. } => {
            card.keep_verified(rights.pin)?;
        }
    }
    let signature = card.sign(slot, key.key_type(), &digest)?;
    Ok(unsigned.signed(&signature).map_err(StageError::from)?)
}

/// What the journal keeps of a public key: SHA-256 of its `SubjectPublicKeyInfo`.
///
/// # Errors
/// The key can't be written as one.
pub fn key_hash(key: &PublicKey) -> Result<KeyHash, Cause> {
    let written = public_key_info(key).and_then(|info| info.to_der());
    let written = written.map_err(|error| StageError::from(CsrError::from(error)))?;
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest::digest(&SHA256, &written).as_ref()).for_each(|(to, from)| *to = *from);
    Ok(hash)
}
