//! The `pinwright-sim` command: the stand-ins for card and server, beside a `pinwright` that is built without them.

use std::alloc::System;
use std::process::ExitCode;

use pinwright::cli;
use pinwright::secret::ZeroAlloc;

/// As `pinwright` has it: `pinwright-sim demo` does its job, too.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    cli::process::run(cli::parse_sim)
}
