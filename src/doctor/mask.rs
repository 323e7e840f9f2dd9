//! Text without secrets and names: each name becomes a pseudonym that stays the same, each secret a word that says that one was there.
//!
//! Known names are found wherever they stand; others by their form. What looks like a secret or a name and is none is masked, too.

mod forms;

use std::collections::HashMap;

use self::forms::Form;
use super::finding::Name;
use crate::secret::SecretBytes;

/// Names that say nothing of anybody.
const EVERYBODYS: [&str; 8] = ["root", "pinwright", "nobody", "localhost", "127.0.0.1", "::1", "0.0.0.0", "tmp"];

/// Labels of hosts that are words of every text here.
const WORDS: [&str; 10] = ["server", "proxy", "card", "cards", "agent", "reader", "user", "token", "name", "test"];

/// What was found in a text: its place, its length, and what stands for it.
type Hit = (usize, usize, String);

/// Parts of a text, of which one that was decided upon is looked at no more.
enum Part {
    Open(String),
    Decided(String),
}

/// What is masked, and as what.
pub(super) struct Mask {
    /// Known texts and what stands for them, the longest first.
    known: Vec<(String, String)>,
    /// Parts of hosts' names, for where they stand alone.
    labels: Vec<(String, String)>,
    /// What is shown although it looks like a secret.
    shown: Vec<String>,
    secrets: Vec<SecretBytes>,
    pseudonyms: HashMap<String, String>,
    counts: HashMap<&'static str, usize>,
}

impl Mask {
    pub fn new(names: Vec<Name>) -> Self {
        let mut mask = Self {
            known: Vec::new(),
            labels: Vec::new(),
            shown: Vec::new(),
            secrets: Vec::new(),
            pseudonyms: HashMap::new(),
            counts: HashMap::new(),
        };
        names.into_iter().for_each(|name| mask.know(name));
        mask.known.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        mask
    }

    /// Takes in the names that a line has by their form, so that their parts are known wherever they stand alone.
    pub fn learn(&mut self, line: &str) {
        let mut found = Vec::new();
        for find in forms::ALL {
            passed(vec![Part::Open(line.to_owned())], &mut |text| {
                let (at, length, form) = find(text)?;
                found.push((form, text.get(at..at + length)?.to_owned()));
                Some((at, length, String::new()))
            });
        }
        for (form, text) in found {
            match form {
                Form::Host => self.know(Name::Host(text)),
                Form::User => self.know_parts(&text),
                Form::Shown | Form::Secret | Form::Number | Form::Id => {}
            }
        }
        self.known.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    /// Of an account's name what stands for the person, and what for the domain.
    fn know_parts(&mut self, account: &str) {
        if let Some((user, realm)) = account.split_once('@') {
            self.know(Name::User(user.to_owned()));
            self.know(Name::Host(realm.to_owned()));
        } else if let Some((domain, user)) = account.split_once('\\') {
            // Lower-case letters before it are rather a word before an escaped character.
            if !domain.bytes().any(|byte| byte.is_ascii_lowercase()) {
                self.know(Name::User(user.to_owned()));
                self.know(Name::Host(domain.to_owned()));
            }
        } else if !account.bytes().all(|byte| byte.is_ascii_digit()) {
            self.know(Name::User(account.to_owned()));
        }
    }

    /// A secret that nobody may find in the text.
    pub fn hide(&mut self, secret: &[u8]) {
        if !secret.is_empty() {
            self.secrets.push(SecretBytes::copy_of(secret));
        }
    }

    fn know(&mut self, name: Name) {
        match name {
            Name::Atr(atr) => self.shown.push(atr.to_ascii_lowercase()),
            Name::Card(forms) => {
                let Some(first) = forms.first().cloned() else { return };
                let pseudonym = self.pseudonym("card", &first);
                for form in forms {
                    self.pseudonyms.insert(form.to_ascii_lowercase(), pseudonym.clone());
                    self.known.push((form, pseudonym.clone()));
                }
            }
            Name::Host(host) => {
                // The machine's own label, and the domain's, say as much as the whole name.
                let labels: Vec<String> = host.split('.').map(str::to_owned).collect();
                let is_name = labels.len() > 1 && labels.last().is_some_and(|last| last.parse::<u8>().is_err());
                let telling = [labels.first(), labels.iter().rev().nth(1)]
                    .into_iter()
                    .flatten()
                    .filter(|label| label.len() > 3 && !WORDS.contains(&label.to_ascii_lowercase().as_str()));
                let telling: Vec<String> = telling.filter(|_| is_name).cloned().collect();
                self.add("host", host);
                for label in telling {
                    let pseudonym = self.pseudonym("host", &label);
                    if !self.labels.iter().any(|(known, _)| known.eq_ignore_ascii_case(&label)) {
                        self.labels.push((label, pseudonym));
                    }
                }
            }
            Name::User(user) => self.add("user", user),
            Name::Authority(authority) => self.add("authority", authority),
        }
    }

    fn add(&mut self, kind: &'static str, text: String) {
        let is_known = self.known.iter().any(|(known, _)| known.eq_ignore_ascii_case(&text));
        if text.len() > 1 && !is_known && !EVERYBODYS.contains(&text.to_ascii_lowercase().as_str()) {
            let pseudonym = self.pseudonym(kind, &text);
            self.known.push((text, pseudonym));
        }
    }

    /// What stands for a name, in any case of its letters.
    fn pseudonym(&mut self, kind: &'static str, text: &str) -> String {
        let key = text.to_ascii_lowercase();
        if let Some(known) = self.pseudonyms.get(&key) {
            return known.clone();
        }
        let count = self.counts.entry(kind).or_insert(0);
        *count += 1;
        let pseudonym = format!("<{kind}-{count}>");
        self.pseudonyms.insert(key, pseudonym.clone());
        pseudonym
    }

    /// The line without secrets and names.
    pub fn text(&mut self, line: &str) -> String {
        let mut parts = vec![Part::Open(line.to_owned())];
        for secret in &self.secrets {
            if let Ok(secret) = std::str::from_utf8(secret.expose()) {
                parts =
                    passed(parts, &mut |text| text.find(secret).map(|at| (at, secret.len(), "<secret>".to_owned())));
            }
        }
        let shown = &self.shown;
        parts = passed(parts, &mut |text| {
            let lower = text.to_ascii_lowercase();
            let (at, atr) = shown.iter().filter_map(|atr| lower.find(atr.as_str()).map(|at| (at, atr))).min()?;
            Some((at, atr.len(), text.get(at..at + atr.len())?.to_owned()))
        });
        parts = passed(parts, &mut |text| first_of(&self.known, text));
        for find in forms::ALL {
            parts = passed(parts, &mut |text| {
                let (at, length, form) = find(text)?;
                let found = text.get(at..at + length)?;
                Some((at, length, self.instead_of(form, found)))
            });
        }
        parts = passed(parts, &mut |text| first_of(&self.labels, text));
        let texts = parts.into_iter().map(|part| match part {
            Part::Open(text) | Part::Decided(text) => text,
        });
        texts.collect()
    }

    fn instead_of(&mut self, form: Form, found: &str) -> String {
        let is_everybodys = EVERYBODYS.contains(&found.to_ascii_lowercase().as_str());
        match form {
            Form::Shown => found.to_owned(),
            _ if is_everybodys => found.to_owned(),
            Form::Secret => "<secret>".to_owned(),
            Form::Number => "<number>".to_owned(),
            Form::Id => self.pseudonym("id", found),
            Form::User => self.pseudonym("user", found),
            Form::Host => self.pseudonym("host", found),
        }
    }
}

/// Replaces in every open part what is found, until nothing is.
fn passed(parts: Vec<Part>, find: &mut dyn FnMut(&str) -> Option<Hit>) -> Vec<Part> {
    let mut done = Vec::new();
    for part in parts {
        let mut rest = match part {
            Part::Open(text) => text,
            decided => {
                done.push(decided);
                continue;
            }
        };
        while let Some((at, length, instead)) = find(&rest).filter(|(_, length, _)| *length > 0) {
            let (Some(before), Some(after)) = (rest.get(..at), rest.get(at + length..)) else { break };
            done.push(Part::Open(before.to_owned()));
            done.push(Part::Decided(instead));
            rest = after.to_owned();
        }
        done.push(Part::Open(rest));
    }
    done
}

/// The name that stands first in a text, the longest of those that begin there.
fn first_of(names: &[(String, String)], text: &str) -> Option<Hit> {
    let found =
        names.iter().filter_map(|(name, pseudonym)| word(text, name).map(|at| (at, name.len(), pseudonym.clone())));
    found.min_by_key(|(at, length, _)| (*at, std::cmp::Reverse(*length)))
}

/// Where a name stands in a text as a word of its own, in any case of its letters.
fn word(text: &str, name: &str) -> Option<usize> {
    let (lower, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    let ends = |character: Option<char>| character.is_none_or(|character| !character.is_alphanumeric());
    lower.match_indices(&name).map(|(at, _)| at).find(|at| {
        ends(lower.get(..*at).and_then(|before| before.chars().next_back()))
            && ends(lower.get(at + name.len()..).and_then(|after| after.chars().next()))
    })
}

#[cfg(test)]
mod tests;
