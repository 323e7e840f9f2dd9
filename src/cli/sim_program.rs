//! `pinwright-sim`: the stand-ins as a program of their own, so that a `pinwright` without them stands beside it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::context::CommandContext;
use super::demo::DemoArgs;
use super::sim::SimCommand;
use super::{Arguments, Color, Command, help, output, usage};
use crate::exit::Exit;

/// Stand-ins for a smart card and for MIM Certificate Management, to try pinwright with.
#[derive(Debug, Parser)]
#[command(name = "pinwright-sim", version, arg_required_else_help = true, max_term_width = 100)]
struct SimArguments {
    #[command(subcommand)]
    command: SimProgramCommand,
}

#[derive(Debug, Subcommand)]
enum SimProgramCommand {
    #[command(flatten)]
    StandIn(SimCommand),
    /// Enroll a virtual card at a stand-in for the server, and use its certificate.
    Demo(DemoArgs),
    /// Write the manual pages into this folder, which must be there.
    #[command(hide = true)]
    Man { folder: PathBuf },
}

/// Reads the command line of `pinwright-sim`, and gives the command of `pinwright` that does it.
///
/// # Errors
/// As [`parse`](super::parse), and the exit code after manual pages were written.
pub fn parse_sim(arguments: Vec<OsString>, context: &mut CommandContext<'_>) -> Result<Arguments, Exit> {
    let parsed = SimArguments::try_parse_from(arguments).map_err(|error| {
        if error.use_stderr() {
            usage::Mistake::new(error).lines().iter().for_each(|line| context.say_line(line));
            return Exit::Usage;
        }
        drop(context.print_lines(error.render().to_string().trim_end()));
        Exit::Done
    })?;
    let command = match parsed.command {
        SimProgramCommand::StandIn(command) => Command::Sim(command),
        SimProgramCommand::Demo(args) => Command::Demo(args),
        SimProgramCommand::Man { folder } => {
            let mut program = SimArguments::command().disable_help_subcommand(true);
            program.build();
            let written = help::write_commands(&program, &folder, &mut Vec::new());
            return Err(written.map_or_else(
                |error| {
                    output::error_lines(&error).iter().for_each(|line| context.say_line(line));
                    error.exit()
                },
                |()| Exit::Done,
            ));
        }
    };
    Ok(Arguments { config: None, json: false, verbose: 0, quiet: false, color: Color::Auto, command })
}
