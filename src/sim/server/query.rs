//! The query string, read as strictly as the server may read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::records::{Card, RequestStatus};
use super::rules::{Refusal, Rule};

struct Pair {
    name: String,
    raw: String,
    value: String,
}

/// Parameters by name; names are compared without case.
pub(super) struct Query(Vec<Pair>);

impl Query {
    pub(super) fn parse(raw: &str) -> Result<Self, Refusal> {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok(Pair { name: decode(name)?.to_ascii_lowercase(), raw: value.to_owned(), value: decode(value)? })
        });
        Ok(Self(pairs.collect::<Result<_, Refusal>>()?))
    }

    fn find(&self, name: &str) -> Result<Option<&Pair>, Refusal> {
        let mut found = self.0.iter().filter(|pair| pair.name == name);
        let first = found.next();
        if found.next().is_some() {
            return Err(Refusal::bad(Rule::DuplicateParameter, format!("{name}: given twice")));
        }
        Ok(first)
    }

    /// `cardid`, checked for form.
    pub(super) fn card_id(&self) -> Result<Option<Uuid>, Refusal> {
        let Some(pair) = self.find("cardid")? else {
            return Ok(None);
        };
        guid(&pair.value)
            .map(Some)
            .ok_or_else(|| Refusal::bad(Rule::CardIdForm, "cardid: must be GUID text of 36 characters without braces"))
    }

    /// `cardid` and `atr` against the card in the path.
    pub(super) fn check_card(&self, card: &Card) -> Result<(), Refusal> {
        if let Some(pair) = self.find("atr")? {
            check_atr(&pair.value, &card.atr)?;
        }
        match self.card_id()? {
            Some(card_id) if card_id != card.card_id => {
                Err(Refusal::forbidden(Rule::WrongCard, "cardid: not that of the smart card in the path"))
            }
            _ => Ok(()),
        }
    }

    /// `challenge`, checked for escaping, encoding and length.
    pub(super) fn challenge(&self, lengths: &[usize]) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(pair) = self.find("challenge")? else {
            return Ok(None);
        };
        if pair.raw.contains(['+', '/', '=']) {
            return Err(Refusal::bad(Rule::UnescapedChallenge, "challenge: '+', '/' and '=' must be percent-encoded"));
        }
        let bytes = STANDARD
            .decode(&pair.value)
            .map_err(|_| Refusal::bad(Rule::ChallengeEncoding, "challenge: must be standard base64 with padding"))?;
        if !lengths.contains(&bytes.len()) {
            let message = format!("challenge: {} bytes, allowed are {lengths:?}", bytes.len());
            return Err(Refusal::bad(Rule::ChallengeLength, message));
        }
        Ok(Some(bytes))
    }

    /// `diversified`, required.
    pub(super) fn diversified(&self) -> Result<bool, Refusal> {
        match self.find("diversified")?.map(|pair| pair.value.as_str()) {
            Some("True" | "true") => Ok(true),
            Some("False" | "false") => Ok(false),
            Some("") | None => Err(missing("diversified")),
            Some(_) => Err(Refusal::bad(Rule::Diversified, "diversified: must be True or False")),
        }
    }

    /// `status`, one of the documented names.
    pub(super) fn status(&self) -> Result<Option<RequestStatus>, Refusal> {
        let Some(pair) = self.find("status")? else {
            return Ok(None);
        };
        RequestStatus::from_name(&pair.value)
            .map(Some)
            .ok_or_else(|| Refusal::bad(Rule::FilterValue, "status: not one of the documented names"))
    }

    /// `status` of profiles: one of the documented names of requests, or Active.
    pub(super) fn profile_status(&self) -> Result<(), Refusal> {
        match self.find("status")? {
            Some(pair) if pair.value.eq_ignore_ascii_case("Active") => Ok(()),
            _ => self.status().map(drop),
        }
    }

    /// `targetuser`: whether the list is limited to the current user.
    pub(super) fn current_user_only(&self) -> Result<bool, Refusal> {
        match self.find("targetuser")? {
            None => Ok(false),
            Some(pair) if pair.value.eq_ignore_ascii_case("current") => Ok(true),
            Some(_) => Err(Refusal::bad(Rule::FilterValue, "targetuser: only \"current\" is supported")),
        }
    }

    /// Refuse the call unless every one of `names` has a value.
    pub(super) fn require(&self, names: &[&str]) -> Result<(), Refusal> {
        for name in names {
            if self.find(name)?.is_none_or(|pair| pair.value.is_empty()) {
                return Err(missing(name));
            }
        }
        Ok(())
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::bad(Rule::MissingParameter, format!("{name}: required"))
}

/// Lower-case hex without separators.
pub(super) fn check_atr_form(atr: &str) -> Result<(), Refusal> {
    let digits = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if atr.is_empty() || atr.len() % 2 == 1 || !atr.chars().all(digits) {
        return Err(Refusal::bad(Rule::AtrForm, "atr: must be lower-case hex without separators"));
    }
    Ok(())
}

fn check_atr(atr: &str, expected: &str) -> Result<(), Refusal> {
    check_atr_form(atr)?;
    // A record without an ATR was made by a client that sent none: it fits any card.
    let expected: String = expected.chars().filter(char::is_ascii_hexdigit).collect();
    if !expected.is_empty() && !expected.eq_ignore_ascii_case(atr) {
        return Err(Refusal::bad(Rule::WrongAtr, "atr: not that of the smart card in the path"));
    }
    Ok(())
}

/// GUID text as the samples print it; `Uuid::try_parse` alone would also take braces, URNs and bare digits.
pub(super) fn guid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok())?
}

/// Percent-decoding of a query as ASP.NET does it: a bare `+` is a space.
fn decode(text: &str) -> Result<String, Refusal> {
    percent_decode(&text.replace('+', " "))
        .ok_or_else(|| Refusal::bad(Rule::PercentEncoding, "query: broken percent-encoding"))
}

/// Percent-decoding without the `+` rule, as in paths.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}
