//! The `pinwright` command.

use std::alloc::System;
use std::process::ExitCode;

use pinwright::cli;
use pinwright::secret::ZeroAlloc;

/// Zeroes memory when it is freed, since TLS, HTTP and JSON libraries free buffers that held a secret.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    cli::process::run(cli::parse)
}
