//! A person who is asked for secrets and for consent.

use pinwright::card::PinLimits;
use pinwright::job::consent::{Proposal, Standing};
use pinwright::job::secrets::{Need, SecretError};
use pinwright::job::supplier::Supplier;
use pinwright::job::{Cause, Step};
use pinwright::secret::{AdminKey, Code, Pin};

use super::cards::{CODE, KEY, OLD};

/// A person with answers prepared; asked for anything else they cancel.
#[derive(Default)]
pub struct Person<'a> {
    /// The PIN that they choose.
    pub new_pin: Option<Vec<u8>>,
    /// The PIN that the card has.
    pub current_pin: Option<Vec<u8>>,
    /// The admin key.
    pub admin_key: Option<[u8; 24]>,
    /// The PUK, the admin PIN or the resetting code.
    pub code: Option<Vec<u8>>,
    /// What they answer to each item that a template collects.
    pub item: Option<String>,
    /// The items that they were asked for, in order.
    pub items: Vec<String>,
    /// What they were asked for, in order.
    pub asked: Vec<&'static str>,
    /// What is in a file: nobody has to be waited for.
    pub at_hand: Vec<Need>,
    /// What happens while they type.
    pub meanwhile: Option<Box<dyn FnMut() + 'a>>,
    /// How often they were asked whether to go on.
    pub consented: usize,
    /// What they were told of an earlier job.
    pub told: Option<String>,
    /// They were told that somebody else has begun to work on the request.
    pub told_of_work: bool,
    /// What they were told of an ATR that may be another card's.
    pub told_of_atr: Option<String>,
    /// The template's name that they were told.
    pub told_template: Option<String>,
    /// What happens while they think about it.
    pub thinking: Option<Box<dyn FnMut() + 'a>>,
    /// They think until they are interrupted.
    pub thinks_on: bool,
    /// They have not said yes, and can't be asked.
    pub is_absent: bool,
    /// They say no. Who neither does nor thinks about it has said yes beforehand.
    pub declines: bool,
    /// Presses Ctrl-C at this step.
    pub interrupt_at: Option<Step>,
}

impl Person<'_> {
    /// Knows the old PIN, the admin key and the code.
    pub fn knowing() -> Self {
        Self { current_pin: Some(OLD.to_vec()), admin_key: Some(KEY), code: Some(CODE.to_vec()), ..Self::default() }
    }

    fn ask(&mut self, what: &'static str) {
        self.asked.push(what);
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile();
        }
    }
}

impl Supplier for Person<'_> {
    fn at_hand(&self, need: Need) -> bool {
        self.at_hand.contains(&need)
    }

    fn standing(&self) -> Standing {
        match (self.declines || self.thinking.is_some(), self.is_absent) {
            (_, true) => Standing::Nobody,
            (true, false) => Standing::Ask,
            (false, false) => Standing::Given,
        }
    }

    fn consent(&mut self, it: &Proposal<'_>, watch: &mut dyn FnMut() -> Result<(), Cause>) -> Result<(), Cause> {
        self.consented += 1;
        self.told = it.done_before.map(ToString::to_string);
        self.told_of_work = it.begun_elsewhere;
        self.told_of_atr = it.other_atr.map(ToOwned::to_owned);
        self.told_template.clone_from(&it.assignment.template_name);
        if let Some(thinking) = &mut self.thinking {
            thinking();
        }
        if self.thinks_on {
            // Until the job gives up.
            loop {
                watch()?;
                std::thread::yield_now();
            }
        }
        match self.declines {
            _ if self.is_absent => Err(SecretError::NobodyToAsk.into()),
            true => Err(SecretError::Declined.into()),
            false => watch(),
        }
    }

    fn new_pin(&mut self, _: PinLimits) -> Result<Pin, SecretError> {
        self.ask("new PIN");
        let pin = self.new_pin.as_ref().ok_or(SecretError::Cancelled { what: "the new PIN" })?;
        Ok(Pin::new(pin).unwrap())
    }

    fn item(&mut self, name: &str) -> Result<Option<String>, SecretError> {
        self.items.push(name.to_owned());
        Ok(self.item.clone())
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        self.ask("current PIN");
        let pin = self.current_pin.as_ref().ok_or(SecretError::Cancelled { what: "the current PIN" })?;
        Ok(Pin::new(pin).unwrap())
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        self.ask("admin key");
        let key = self.admin_key.as_ref().ok_or(SecretError::Cancelled { what: "the admin key" })?;
        Ok(AdminKey::new(key).unwrap())
    }

    fn code(&mut self, need: Need) -> Result<Code, SecretError> {
        self.ask(match need {
            Need::Puk => "PUK",
            Need::AdminPin => "admin PIN",
            Need::ResettingCode => "resetting code",
            Need::NewPin | Need::CurrentPin | Need::AdminKey => panic!("{need:?} is no code"),
        });
        let code = self.code.as_ref().ok_or(SecretError::Cancelled { what: need.what() })?;
        Ok(Code::new(code).unwrap())
    }
}
