//! A command as a process: arguments → logs → command → exit code.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Arguments;
use super::context::CommandContext;
use super::screen::{Colours, Screen};
use crate::error_text::error_text;
use crate::exit::Exit;
use crate::os::{log, process, service, signals};
use crate::telemetry;

/// Runs the command that `parse` finds in the process's arguments.
pub fn run(parse: impl FnOnce(Vec<OsString>, &mut CommandContext<'_>) -> Result<Arguments, Exit>) -> ExitCode {
    // Every command is hardened, not only those that meet a secret: one rule is kept more easily than a list.
    let hardened = process::harden();
    let interrupted = Arc::new(AtomicBool::new(false));
    let screen = Screen::of_process();
    let mut err = log::standard_error();
    let mut context = CommandContext {
        readers: None,
        environment: environment(),
        out: &mut std::io::stdout(),
        err: &mut *err,
        screen,
        colours: Colours::default(),
        tells_progress: false,
        may_prompt: true,
        interrupted: Arc::clone(&interrupted),
    };
    let arguments = match parse(std::env::args_os().collect(), &mut context) {
        Ok(arguments) => arguments,
        Err(exit) => return exit.into(),
    };
    if arguments.serves() {
        service::join();
    }
    if arguments.backs_out() {
        // Each wait of a job is bounded, and a process that ends between two commands leaves a card in doubt: however often a
        // signal comes, the job backs out in order. Commands that only look keep the usual way out.
        signals::set_on_interrupt(&interrupted);
    }
    // Steps are told once: by progress lines on a terminal, or by a log that tells more than warnings.
    context.tells_progress = screen.err_is_terminal && arguments.level() == tracing::level_filters::LevelFilter::WARN;
    let colours = screen.colours(arguments.color(), &context.environment);
    telemetry::start(arguments.level(), colours.err, arguments.writes_to_cards());
    if let Err(error) = hardened {
        tracing::warn!("{}", error_text(&error));
    }
    let exit = super::run(&arguments, &mut context);
    if arguments.serves() {
        service::ended(exit as u8);
    }
    exit.into()
}

/// The environment. A name becomes text; a value stays as it is, since it may be any path.
fn environment() -> Vec<(String, OsString)> {
    std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value)).collect()
}
