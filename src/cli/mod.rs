//! The technician's command: arguments, the dispatch to one file for each command, and how a failure is told.

mod agent;
mod agent_journal;
mod applications;
mod card_problem;
mod config;
pub mod context;
mod doctor;
mod enroll;
pub mod error;
mod examples;
mod help;
mod history;
mod inspect;
mod json;
mod login;
mod output;
mod plan;
pub mod process;
mod progress;
mod readers;
mod record;
mod replay;
mod request;
pub mod screen;
pub mod select;
mod set_pin;
mod supply;
mod usage;
mod whoami;

#[cfg(feature = "sim")]
mod demo;
#[cfg(feature = "sim")]
mod sim;
#[cfg(feature = "sim")]
mod sim_program;

#[cfg(feature = "sim")]
pub use self::sim_program::parse_sim;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use self::context::CommandContext;
use self::enroll::{EnrollArgs, EnrollCommand, RetireArgs, UnblockArgs};
use self::error::CliError;
use self::history::HistoryArgs;
use self::inspect::ReportFormat;
use self::json::FailedObject;
use self::plan::PlanArgs;
use self::readers::ReadersArgs;
use self::record::RecordArgs;
use self::select::CardChoice;
use self::set_pin::{JobArgs, MeteredReaders};
use crate::config::Config;
use crate::exit::Exit;
use crate::operation::Operation;
use crate::reader::pcsc::PcscReaders;
use crate::reader::traffic::{Meter, Traffic};

/// The heading of what every command takes.
const GLOBAL: &str = "Global options";

/// Sets the PIN that MIM Certificate Management proposes on a smart card.
#[derive(Debug, Parser)]
#[command(name = "pinwright", version, arg_required_else_help = true, max_term_width = 100, after_help = examples::of(None))]
pub struct Arguments {
    /// Read this file instead of the machine's and the user's own.
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE", help = help_of_config())]
    config: Option<PathBuf>,
    /// Print the result as one JSON object on standard output.
    #[arg(long, global = true, help_heading = GLOBAL)]
    json: bool,
    /// Say more: details in results; on standard error -v steps, -vv calls, -vvv APDUs (secrets masked).
    #[arg(short, long, global = true, help_heading = GLOBAL, action = ArgAction::Count)]
    verbose: u8,
    /// Say less: errors only.
    #[arg(short, long, global = true, help_heading = GLOBAL, conflicts_with = "verbose")]
    quiet: bool,
    /// Colour in results, errors and logs.
    #[arg(long, global = true, help_heading = GLOBAL, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

fn help_of_config() -> String {
    format!("Read this file instead of {} and the user's own", crate::config::of_machine().display())
}

/// When outputs are coloured.
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
    #[command(name = Operation::Readers.name(), after_help = examples::of(Some(Operation::Readers)))]
    Readers(ReadersArgs),
    /// Show what one card says of itself. Writes nothing, spends no try.
    #[command(name = Operation::Inspect.name(), after_help = examples::of(Some(Operation::Inspect)))]
    Inspect(CardChoice),
    /// Show what a job would do, with -v every call and every command to the card, secrets masked. Writes nothing.
    #[command(name = Operation::Plan.name(), after_help = examples::of(Some(Operation::Plan)))]
    Plan(PlanArgs),
    /// Set the card's PIN and have the card verify it.
    #[command(name = Operation::SetPin.name(), after_help = examples::of(Some(Operation::SetPin)))]
    SetPin(JobArgs),
    /// Carry out the card's open request to its end, or one that it makes: PIN, admin key, key pairs, certificates.
    ///
    /// It goes on where an earlier run has stopped. Where somebody has to approve the request it ends with exit code 11; the same
    /// command goes on with it later.
    #[command(name = Operation::Enroll.name(), after_help = examples::of(Some(Operation::Enroll)))]
    Enroll(EnrollArgs),
    /// Set a new PIN on a card in use by a request to unblock it: an open one, or one that it makes.
    #[command(name = Operation::Unblock.name(), after_help = examples::of(Some(Operation::Unblock)))]
    Unblock(UnblockArgs),
    /// Retire the card at the server by a request: an open one, or one that it makes.
    ///
    /// It changes the card's status at the server alone: certificates are revoked as the template says, and the card keeps its PIN, its
    /// keys and its certificates, unless `--wipe` is given: then keys and certificates are listed, and erased after the yes.
    #[command(name = Operation::Retire.name(), after_help = examples::of(Some(Operation::Retire)))]
    Retire(RetireArgs),
    /// Look at everything between plug and server: what is well, what is not, what to do. Changes nothing.
    #[command(name = Operation::Doctor.name(), after_help = examples::of(Some(Operation::Doctor)))]
    Doctor(doctor::DoctorArgs),
    /// List what was done to which card, and what is unsettled.
    #[command(name = Operation::History.name(), after_help = examples::of(Some(Operation::History)))]
    History(HistoryArgs),
    /// Watch the readers, and set the PIN of each card that is inserted and has an open request.
    #[command(name = Operation::Agent.name(), after_help = examples::of(Some(Operation::Agent)))]
    Agent(agent::AgentArgs),
    /// List the server's requests, create one, or give one up. Needs no card.
    #[command(subcommand, name = Operation::Request.name())]
    Request(request::RequestCommand),
    /// Sign in at AD FS, once for all commands to come.
    #[command(name = Operation::Login.name(), after_help = examples::of(Some(Operation::Login)))]
    Login(login::LoginArgs),
    /// Remove the sign-in at AD FS from this machine.
    #[command(name = Operation::Logout.name())]
    Logout,
    /// Say who is signed in, as far as it can be known without asking the server.
    #[command(name = Operation::Whoami.name())]
    Whoami,
    /// Check the configuration, or show where each value comes from.
    #[command(subcommand, name = Operation::Config.name())]
    Config(config::ConfigCommand),
    /// Record an operation on a card as a fixture, secrets masked at the source.
    #[command(name = Operation::Record.name(), after_help = examples::of(Some(Operation::Record)))]
    Record(RecordArgs),
    /// Play a recording back, strictly.
    #[command(name = Operation::Replay.name())]
    Replay {
        /// The recording.
        file: PathBuf,
    },
    /// Print the script with which a shell completes commands and options.
    #[command(name = Operation::Completions.name())]
    Completions(help::CompletionsArgs),
    /// Print the manual page, or write the pages of all commands.
    #[command(name = Operation::Man.name())]
    Man(help::ManArgs),
    /// Run the job on a virtual card and a stand-in for the server.
    #[cfg(feature = "sim")]
    #[command(name = Operation::Demo.name())]
    Demo(demo::DemoArgs),
    /// Serve a stand-in until interrupted.
    #[cfg(feature = "sim")]
    #[command(subcommand, name = Operation::Sim.name())]
    Sim(sim::SimCommand),
}

impl Command {
    /// The schema of the command's JSON.
    fn schema(&self) -> &'static str {
        match self {
            Self::Readers(_) => Operation::Readers.schema(),
            Self::Inspect(_) => Operation::Inspect.schema(),
            Self::Plan(_) => Operation::Plan.schema(),
            Self::SetPin(_) => Operation::SetPin.schema(),
            Self::Enroll(_) => Operation::Enroll.schema(),
            Self::Unblock(_) => Operation::Unblock.schema(),
            Self::Retire(_) => Operation::Retire.schema(),
            Self::Doctor(_) => Operation::Doctor.schema(),
            Self::History(_) => Operation::History.schema(),
            Self::Agent(args) => args.schema(),
            Self::Request(command) => command.operation().schema(),
            Self::Login(_) => Operation::Login.schema(),
            Self::Logout => Operation::Logout.schema(),
            Self::Whoami => Operation::Whoami.schema(),
            Self::Config(command) => command.schema(),
            Self::Record(_) => Operation::Record.schema(),
            Self::Replay { .. } => Operation::Replay.schema(),
            Self::Completions(_) => Operation::Completions.schema(),
            Self::Man(_) => Operation::Man.schema(),
            #[cfg(feature = "sim")]
            Self::Demo(_) => Operation::Demo.schema(),
            #[cfg(feature = "sim")]
            Self::Sim(_) => Operation::Sim.schema(),
        }
    }
}

impl Arguments {
    /// How much is logged. The agent logs one level more than other commands, since its log is all that a person sees of it.
    #[must_use]
    pub fn level(&self) -> tracing::level_filters::LevelFilter {
        crate::telemetry::level(self.verbose + u8::from(self.serves()), self.quiet)
    }

    /// Whether this is the serving agent.
    #[must_use]
    pub fn serves(&self) -> bool {
        matches!(&self.command, Command::Agent(args) if args.serves())
    }

    /// Whether an interruption asks the command to back out instead of ending the process: it may be between two steps on a
    /// card. The agent handles its signals itself.
    #[must_use]
    pub fn backs_out(&self) -> bool {
        !matches!(
            &self.command,
            Command::Request(command) if !command.changes()
        ) && !matches!(
            self.command,
            Command::Readers(_)
                | Command::Inspect(_)
                | Command::Plan(_)
                | Command::Doctor(_)
                | Command::History(_)
                | Command::Agent(_)
                | Command::Whoami
                | Command::Config(_)
                | Command::Replay { .. }
                | Command::Completions(_)
                | Command::Man(_)
        )
    }

    /// Whether the command may write to a card that is not of its own making.
    #[must_use]
    pub fn writes_to_cards(&self) -> bool {
        use Command::{Enroll, Record, Retire, SetPin, Unblock};
        let writes = matches!(self.command, SetPin(_) | Enroll(_) | Unblock(_) | Retire(_) | Record(_));
        writes || self.serves()
    }

    /// When logs are coloured.
    #[must_use]
    pub fn color(&self) -> Color {
        self.color
    }
}

/// Reads the command line. Help and version go to standard output, mistakes to standard error, and with `--json` as an object to
/// standard output as well.
///
/// # Errors
/// The exit code of a command line that leaves nothing to run: [`Exit::Done`] after help or version, [`Exit::Usage`] after a
/// mistake.
pub fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    context: &mut CommandContext<'_>,
) -> Result<Arguments, Exit> {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    Arguments::try_parse_from(&arguments).map_err(|error| {
        if error.use_stderr() {
            let mistake = usage::Mistake::new(error);
            if usage::wants_json(&arguments) {
                let object = FailedObject::usage(usage::schema(&arguments), mistake.message(), mistake.hint());
                // Where even this can't be written, standard error and the exit code still tell.
                drop(context.print_json(&object));
            }
            context.colours = context.screen.colours(usage::color(&arguments), &context.environment);
            mistake.lines().iter().for_each(|line| context.say_line(line));
            return Exit::Usage;
        }
        drop(context.print_lines(error.render().to_string().trim_end()));
        Exit::Done
    })
}

/// Runs a command. Its failure is told on standard error, and with `--json` as an object on standard output as well.
pub fn run(arguments: &Arguments, context: &mut CommandContext<'_>) -> Exit {
    context.colours = context.screen.colours(arguments.color, &context.environment);
    match dispatch(arguments, context) {
        Ok(exit) => exit,
        Err(error) => {
            if arguments.json {
                let object = FailedObject::new(arguments.command.schema(), &error);
                // Where even this can't be written, standard error and the exit code still tell.
                drop(context.print_json(&object));
            }
            for line in output::error_lines(&error) {
                context.say_line(&line);
            }
            error.exit()
        }
    }
}

/// Runs it, and gives the exit code of what it found out; most commands end with a failure or well.
fn dispatch(arguments: &Arguments, context: &mut CommandContext<'_>) -> Result<Exit, CliError> {
    let json = arguments.json;
    match &arguments.command {
        Command::Completions(args) => return help::completions(args, json, context).map(|()| Exit::Done),
        Command::Man(args) => return help::man(args, json, context).map(|()| Exit::Done),
        _ => {}
    }
    #[cfg(feature = "sim")]
    match &arguments.command {
        Command::Demo(args) => {
            let format = ReportFormat { json, verbose: arguments.verbose > 0 };
            return demo::run(args, format, context).map(|()| Exit::Done);
        }
        Command::Sim(command) => return sim::run(command, context).map(|()| Exit::Done),
        _ => {}
    }
    let file = arguments.config.clone().or_else(|| {
        let named = context.environment.iter().find(|(name, value)| name == "PINWRIGHT_CONFIG" && !value.is_empty());
        named.map(|(_, path)| PathBuf::from(path))
    });
    if let Command::Config(command) = &arguments.command {
        return config::run(*command, file.as_deref(), json, context).map(|()| Exit::Done);
    }
    if let Command::Doctor(args) = &arguments.command {
        return doctor::run(args, file.as_deref(), json, context).map(|()| Exit::Done);
    }
    if let Command::Agent(args) = &arguments.command
        && let Some(done) = args.run_without_configuration(json, context)
    {
        return done.map(|()| Exit::Done);
    }
    let config = Config::load(file.as_deref(), &context.environment)?;
    if !arguments.quiet {
        for warning in &config.warnings {
            context.warn(warning);
        }
    }
    let service = PcscReaders::new(config.reader_timeout);
    let format = ReportFormat { json, verbose: arguments.verbose > 0 };
    // The traffic of virtual readers is logged and counted as well, so it is wrapped here and not where readers are made.
    let meter = Arc::new(Meter::default());
    let readers = &Traffic::new(context.readers.unwrap_or(&service), Arc::clone(&meter));
    let metered = MeteredReaders { readers, meter: &meter };
    let enroll = |command, context: &mut CommandContext<'_>| enroll::run(&config, command, format, metered, context);
    match &arguments.command {
        Command::Readers(args) => readers::run(&config, args, format, readers, context),
        Command::Inspect(choice) => inspect::run(&config, choice, format, readers, context),
        Command::Plan(args) => return plan::run(&config, args, format, readers, context),
        Command::Enroll(args) => return enroll(EnrollCommand::Enroll(args), context),
        Command::Unblock(args) => return enroll(EnrollCommand::Unblock(args), context),
        Command::Retire(args) => return enroll(EnrollCommand::Retire(args), context),
        command @ Command::SetPin(args) => set_pin::run(&config, args, (command.schema(), json), metered, context),
        Command::History(args) => history::run(&config, args, json, context),
        Command::Agent(args) => agent::run(&config, args, json, context),
        Command::Record(args) => record::run(&config, args, json, metered, context),
        Command::Replay { file } => replay::run(&config, file, json, context),
        Command::Request(command) => request::run(&config, command, json, context),
        Command::Login(args) => login::login(&config, *args, json, context),
        Command::Logout => login::logout(&config, json, context),
        Command::Whoami => whoami::run(&config, json, context),
        // Run before the configuration was loaded.
        Command::Config(_) | Command::Doctor(_) | Command::Completions(_) | Command::Man(_) => Ok(()),
        #[cfg(feature = "sim")]
        Command::Demo(_) | Command::Sim(_) => Ok(()),
    }
    .map(|()| Exit::Done)
}
