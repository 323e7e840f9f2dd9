//! This program started anew in its own process: for what a library takes from the environment alone, which a program can't change once
//! it has threads.

use std::ffi::OsString;
use std::io;

/// The variable that says that it was done, so that it is done once.
pub const GUARD: &str = "PINWRIGHT_STARTED_ANEW";

/// Becomes this program with the same arguments and descriptors, and with these variables besides. Process, standard streams and what a
/// service manager knows of it stay. Comes back where that fails.
#[must_use]
pub fn start_anew(variables: &[(&str, OsString)]) -> io::Error {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        let program = match std::env::current_exe() {
            Ok(program) => program,
            Err(error) => return error,
        };
        let mut command = std::process::Command::new(program);
        let mut arguments = std::env::args_os();
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        let variables = variables.iter().map(|(name, value)| (name, value));
        command.args(arguments).envs(variables).env(GUARD, "1").exec()
    }
    #[cfg(not(unix))]
    {
        let _ = variables;
        io::ErrorKind::Unsupported.into()
    }
}

/// Whether libraries pass over the environment of this program, since its file gives it rights: capabilities, or another user's.
#[must_use]
pub fn has_rights_of_its_file() -> bool {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(program) = std::env::current_exe() else { return false };
        let has_capabilities = rustix::fs::getxattr(&program, "security.capability", &mut [0_u8; 64]).is_ok();
        let changes_user = program.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o6000 != 0);
        has_capabilities || changes_user
    }
    #[cfg(not(target_os = "linux"))]
    {
        false
    }
}
