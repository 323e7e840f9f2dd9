//! Layer 6: the workstation agent. It sleeps until a card is inserted, and sets its PIN where the server has an open request.

#[cfg(target_os = "linux")]
pub mod account;
#[cfg(target_os = "linux")]
pub mod clock;
#[cfg(target_os = "linux")]
pub mod control;
pub mod jobs;
pub mod mailbox;
#[cfg(target_os = "linux")]
pub mod metrics;
#[cfg(target_os = "linux")]
pub mod pinentry;
pub mod pulse;
pub mod report;
pub mod settings;
#[cfg(target_os = "linux")]
pub mod signals;

pub use self::mailbox::{Mailbox, Message, Post, mailbox};
pub use self::pulse::Pulse;
pub use self::settings::Settings;
