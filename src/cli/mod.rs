//! Layer 6: the technician's command.

mod agent;
mod applications;
mod enroll;
pub mod error;
mod history;
mod inspect;
mod output;
mod plan;
mod readers;
mod record;
mod replay;
pub mod select;
mod supply;
mod usage;
pub mod world;

#[cfg(feature = "sim")]
mod demo;
#[cfg(feature = "sim")]
mod sim;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use self::enroll::{Desktop, JobArgs};
use self::error::CliError;
use self::inspect::Form;
use self::record::RecordArgs;
use self::select::CardChoice;
use self::world::World;
use crate::config::Config;
use crate::exit::Exit;
use crate::reader::pcsc::PcscReaders;
use crate::reader::traffic::{Meter, Traffic};

/// Sets the PIN that MIM Certificate Management proposes on a smart card.
#[derive(Debug, Parser)]
#[command(name = "pinwright", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Arguments {
    /// Read this file instead of /etc/pinwright/config.toml and the user's own.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the result as one JSON object on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// Say more on standard error: -v steps, -vv calls, -vvv APDUs (secrets masked).
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Say less: errors only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Colour in logs.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

/// When logs are coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List readers and the cards in them.
    Readers,
    /// Show what one card says of itself. Writes nothing, spends no try.
    Inspect(CardChoice),
    /// Show every call and every APDU that `enroll` would send, secrets masked. Writes nothing.
    Plan(JobArgs),
    /// Set the card's PIN and have the card verify it.
    Enroll(JobArgs),
    /// List what was done to which card, and what is unsettled.
    History,
    /// Watch the readers, and set the PIN of each card that is inserted and has an open request.
    Agent(agent::AgentArgs),
    /// Record an operation on a card as a fixture, secrets masked at the source.
    Record(RecordArgs),
    /// Play a recording back, strictly.
    Replay {
        /// The recording.
        file: PathBuf,
    },
    /// Run the job on a virtual card and a stand-in for the server.
    #[cfg(feature = "sim")]
    Demo(demo::DemoArgs),
    /// Serve a stand-in until interrupted.
    #[cfg(feature = "sim")]
    #[command(subcommand)]
    Sim(sim::SimCommand),
}

impl Command {
    /// The schema of the command's JSON.
    fn schema(&self) -> &'static str {
        match self {
            Self::Readers => "pinwright.readers/1",
            Self::Inspect(_) => "pinwright.inspect/1",
            Self::Plan(_) => "pinwright.plan/1",
            Self::Enroll(_) => "pinwright.enroll/1",
            Self::History => "pinwright.history/1",
            Self::Agent(args) => args.schema(),
            Self::Record(_) => "pinwright.record/1",
            Self::Replay { .. } => "pinwright.replay/1",
            #[cfg(feature = "sim")]
            Self::Demo(_) => "pinwright.demo/1",
            #[cfg(feature = "sim")]
            Self::Sim(_) => "pinwright.sim/1",
        }
    }
}

impl Arguments {
    /// How much is logged. The agent says what happens without being asked: nobody sees it otherwise.
    #[must_use]
    pub fn level(&self) -> tracing::level_filters::LevelFilter {
        crate::telemetry::level(self.verbose + u8::from(self.serves()), self.quiet)
    }

    /// Whether this is the agent, which sees to its signals itself.
    fn serves(&self) -> bool {
        matches!(&self.command, Command::Agent(args) if args.serves())
    }

    /// Whether the command must not end between two steps: an interruption asks it to back out.
    #[must_use]
    pub fn backs_out(&self) -> bool {
        !matches!(
            self.command,
            Command::Readers
                | Command::Inspect(_)
                | Command::Plan(_)
                | Command::History
                | Command::Agent(_)
                | Command::Replay { .. }
        )
    }

    /// When logs are coloured.
    #[must_use]
    pub fn color(&self) -> Color {
        self.color
    }
}

/// Reads the command line. Help and version go to the world's output, mistakes to its talk.
///
/// # Errors
/// The exit code, where there is nothing to run.
pub fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    world: &mut World<'_>,
) -> Result<Arguments, Exit> {
    Arguments::try_parse_from(arguments).map_err(|error| {
        if error.use_stderr() {
            world.say(usage::told(error).trim_end());
            return Exit::Usage;
        }
        drop(world.print(error.render().to_string().trim_end()));
        Exit::Done
    })
}

/// Runs a command and says how it ended.
pub fn run(arguments: &Arguments, world: &mut World<'_>) -> Exit {
    match dispatch(arguments, world) {
        Ok(()) => Exit::Done,
        Err(error) => {
            if arguments.json {
                let object = output::error_json(arguments.command.schema(), &error, None);
                // If even this can't be written the exit code still tells.
                drop(world.print_json(&object));
            }
            world.complain(&error);
            error.exit()
        }
    }
}

fn dispatch(arguments: &Arguments, world: &mut World<'_>) -> Result<(), CliError> {
    let json = arguments.json;
    #[cfg(feature = "sim")]
    match &arguments.command {
        Command::Demo(args) => return demo::run(args, json, world),
        Command::Sim(command) => return sim::run(command, world),
        _ => {}
    }
    let file = arguments.config.clone().or_else(|| {
        let named = world.environment.iter().find(|(name, value)| name == "PINWRIGHT_CONFIG" && !value.is_empty());
        named.map(|(_, path)| PathBuf::from(path))
    });
    let config = Config::load(file.as_deref(), &world.environment)?;
    if !arguments.quiet {
        for warning in &config.warnings {
            world.say(&format!("warning: {warning}"));
        }
    }
    let service = PcscReaders::new(config.reader_timeout);
    // Every command's traffic is logged and counted, whoever the readers are.
    let meter = Arc::new(Meter::default());
    let readers = &Traffic::new(world.readers.unwrap_or(&service), Arc::clone(&meter));
    match &arguments.command {
        Command::Readers => readers::run(&config, json, readers, world),
        Command::Inspect(choice) => {
            inspect::run(&config, choice, Form { json, verbose: arguments.verbose > 0 }, readers, world)
        }
        Command::Plan(args) => plan::run(&config, args, json, readers, world),
        Command::Enroll(args) => enroll::run(&config, args, json, Desktop { readers, meter: &meter }, world),
        Command::History => history::run(&config, json, world),
        Command::Agent(args) => agent::run(&config, args, json, world),
        Command::Record(args) => record::run(&config, args, json, Desktop { readers, meter: &meter }, world),
        Command::Replay { file } => replay::run(&config, file, json, world),
        #[cfg(feature = "sim")]
        Command::Demo(_) | Command::Sim(_) => Ok(()),
    }
}
