//! The `pinwright` command: arguments → logs → command → exit code.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pinwright::cli::{self, Color, world::World};
use pinwright::telemetry;

fn main() -> ExitCode {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The first one asks the job to back out, the second one ends the process as usual. Without the handlers the first
        // one does: the service then resets the card all the same.
        drop(signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted)));
        drop(signal_hook::flag::register(signal, Arc::clone(&interrupted)));
    }
    let err_is_terminal = std::io::stderr().is_terminal();
    let mut world = World {
        readers: None,
        environment: environment(),
        out: &mut std::io::stdout(),
        err: &mut std::io::stderr(),
        err_is_terminal,
        may_prompt: true,
        interrupted,
    };
    let arguments = match cli::parse(std::env::args_os(), &mut world) {
        Ok(arguments) => arguments,
        Err(exit) => return exit.into(),
    };
    let color = match arguments.color() {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => err_is_terminal && std::env::var_os("NO_COLOR").is_none(),
    };
    telemetry::start(arguments.level(), color);
    cli::run(&arguments, &mut world).into()
}

/// The variables that are text: others can't be settings.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
