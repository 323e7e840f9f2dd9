//! The `pinwright` command: arguments → logs → command → exit code.

use std::alloc::System;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pinwright::cli::screen::{Colours, Screen};
use pinwright::cli::{self, context::CommandContext};
use pinwright::error_text::error_text;
use pinwright::os::{log, process, signals};
use pinwright::secret::ZeroAlloc;
use pinwright::telemetry;

/// Zeroes memory when it is freed, since TLS, HTTP and JSON libraries free buffers that held a secret.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
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
    let arguments = match cli::parse(std::env::args_os(), &mut context) {
        Ok(arguments) => arguments,
        Err(exit) => return exit.into(),
    };
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
    cli::run(&arguments, &mut context).into()
}

/// The environment. A name becomes text; a value stays as it is, since it may be any path.
fn environment() -> Vec<(String, OsString)> {
    std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value)).collect()
}
