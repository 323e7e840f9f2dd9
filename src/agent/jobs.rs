//! What a job thread does with one card, and what it tells the loop.

use uuid::Uuid;

use super::report::Phase;

/// Word from the thread that works on a reader's card.
#[derive(Debug)]
pub struct JobReport {
    /// The reader.
    pub reader: String,
    /// The insertion that it is about: word of an earlier one is no news.
    pub insertion: u64,
    /// What it has to say.
    pub news: News,
}

/// What a job has to say.
#[derive(Debug)]
pub enum News {
    /// It has come to a step.
    Step(&'static str),
    /// It has ended.
    Ended(Box<Ending>),
}

/// How a job ended.
#[derive(Debug)]
pub struct Ending {
    /// What becomes of the reader.
    pub phase: Phase,
    /// The open request, where one was found.
    pub request: Option<Uuid>,
    /// Why, and what to do.
    pub reason: Option<String>,
}
