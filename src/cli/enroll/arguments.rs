//! The arguments of the three commands, and the job that they ask for.

use clap::Args;

use crate::cli::request::{Given, Wished};
use crate::cli::select::Chosen;
use crate::cli::set_pin::JobArgs;
use crate::config::Config;
use crate::enroll::job::{EnrollJob, NewEnrollment};
use crate::enroll::next::Purpose;
use crate::operation::Operation;
use crate::provision::Asked;

/// Which request, on which card, and what is allowed for it.
#[derive(Debug, Clone, Default, Args)]
pub struct EnrollArgs {
    /// Card, request and secrets.
    #[command(flatten)]
    pub job: JobArgs,
    /// Make a request under this profile template, by its name or id, where there is none.
    #[arg(long, value_name = "TEMPLATE")]
    pub template: Option<String>,
    /// What else that request is to have.
    #[command(flatten)]
    pub wished: Wished,
    /// Give up what stands in the places of the new key pairs, where the template's policy permits it.
    #[arg(long)]
    pub erase: bool,
    /// Take the card from another assignment, where the template's policy permits it.
    #[arg(long)]
    pub reuse: bool,
}

/// Which card gets a new PIN.
#[derive(Debug, Clone, Default, Args)]
pub struct UnblockArgs {
    /// Card, request and secrets.
    #[command(flatten)]
    pub job: JobArgs,
    /// What the request is to have, where one is made.
    #[command(flatten)]
    pub given: Given,
}

/// Which card's life ends.
#[derive(Debug, Clone, Default, Args)]
pub struct RetireArgs {
    /// Card, request and secrets.
    #[command(flatten)]
    pub job: JobArgs,
    /// What the request is to have, where one is made.
    #[command(flatten)]
    pub given: Given,
    /// Erase the keys and certificates on the card, too. What would be lost is listed before the yes.
    #[arg(long)]
    pub wipe: bool,
}

/// One of the commands, with its arguments.
#[derive(Debug, Clone, Copy)]
pub enum EnrollCommand<'a> {
    /// `enroll`.
    Enroll(&'a EnrollArgs),
    /// `unblock`.
    Unblock(&'a UnblockArgs),
    /// `retire`.
    Retire(&'a RetireArgs),
}

impl<'a> EnrollCommand<'a> {
    /// The command by itself.
    #[must_use]
    pub fn operation(self) -> Operation {
        match self {
            Self::Enroll(_) => Operation::Enroll,
            Self::Unblock(_) => Operation::Unblock,
            Self::Retire(_) => Operation::Retire,
        }
    }

    /// What all of them take.
    #[must_use]
    pub fn job(self) -> &'a JobArgs {
        match self {
            Self::Enroll(args) => &args.job,
            Self::Unblock(args) => &args.job,
            Self::Retire(args) => &args.job,
        }
    }

    /// The template under which a request is made where there is none.
    #[must_use]
    pub fn template(self) -> Option<&'a str> {
        match self {
            Self::Enroll(args) => args.template.as_deref(),
            Self::Unblock(_) | Self::Retire(_) => None,
        }
    }

    /// What a request under a template is to have.
    #[must_use]
    pub fn wished(self) -> Wished {
        match self {
            Self::Enroll(args) => args.wished.clone(),
            Self::Unblock(UnblockArgs { given, .. }) | Self::Retire(RetireArgs { given, .. }) => {
                Wished { given: given.clone(), target: None }
            }
        }
    }

    /// The job on the chosen card, by the rules of the configuration as the options change them. A request about the card itself is
    /// made where there is none; one under a template only once that was looked at.
    #[must_use]
    pub fn enroll_job(self, config: &Config, chosen: Chosen) -> EnrollJob {
        let args = self.job();
        let mut rules = config.rules.clone();
        rules.admin_key = args.admin_key.unwrap_or(rules.admin_key);
        let (purpose, erase, reuse, wipe) = match self {
            Self::Enroll(args) => (Purpose::Enroll, args.erase, args.reuse, false),
            Self::Unblock(_) => (Purpose::Unblock, false, false, false),
            Self::Retire(args) => (Purpose::Retire, false, false, args.wipe),
        };
        let about_the_card = |Wished { given, target }: Wished| NewEnrollment {
            template: None,
            template_name: None,
            data: given.data,
            data_form: config.data_form,
            comment: given.comment,
            target,
        };
        EnrollJob {
            reader: chosen.reader,
            card_id: chosen.card_id,
            purpose,
            request: args.request,
            smartcard: args.smartcard,
            visible: true,
            new: (purpose != Purpose::Enroll).then(|| about_the_card(self.wished())),
            rules,
            keys: config.enroll.clone(),
            families: config.families.clone(),
            erase,
            reuse,
            wipe,
            asked: if args.again { Asked::Again } else { Asked::ByPerson },
            risk: args.risk_uncounted,
        }
    }
}
