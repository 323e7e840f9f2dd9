//! The journal of this machine's agent, asked over its control socket before a job that a person has begun.

use std::time::Duration;

use crate::agent::Settings;
use crate::agent::control::client::{AskError, ask_about_card};
use crate::card::CardId;
use crate::error_text::error_text;
use crate::job::elsewhere::OtherJournal;
use crate::job::journal::Record;

/// How long all agents together may take: the card is held meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// The agents that listen where the settings say.
pub struct AgentJournal<'a> {
    settings: &'a Settings,
}

impl<'a> AgentJournal<'a> {
    /// Nobody is asked yet.
    #[must_use]
    pub fn new(settings: &'a Settings) -> Self {
        Self { settings }
    }
}

impl OtherJournal for AgentJournal<'_> {
    fn records(&self, card_id: CardId) -> Vec<Record> {
        let mut records = Vec::new();
        for answer in ask_about_card(self.settings, card_id.guid(), PATIENCE) {
            match answer {
                Ok(told) => records.extend(told.of(card_id.guid())),
                Err(error @ (AskError::NotRunning { .. } | AskError::NoSocket)) => tracing::debug!("{error}"),
                // Its journal could only have added caution: the job goes on as it would without an agent.
                Err(error) => tracing::info!("the agent's journal is not known: {}", error_text(&error)),
            }
        }
        records
    }
}
