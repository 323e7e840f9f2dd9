//! How well this process can keep a secret: core files and swap.

use super::finding::{Findings, Probe};
use crate::os::process;
use crate::secret::can_lock_memory;

/// What this process was given by the system, as every other command would be.
pub(super) fn tell(findings: &mut Findings) {
    match process::may_write_core() {
        Some(false) => findings.ok(Probe::Core, "a crash of pinwright writes no core file"),
        Some(true) => findings.warning(
            Probe::Core,
            "a crash of pinwright may write a core file with a PIN in it: the system did not let it give that up",
            "set the limit of core files to 0 where pinwright is started (`ulimit -c 0`, or LimitCORE=0 of the unit)",
        ),
        None => {
            findings.unknown(Probe::Core, "whether a crash of pinwright writes its memory to a file is not told here")
        }
    }
    match (can_lock_memory(), process::lockable_memory()) {
        (Ok(()), _) => findings.ok(Probe::Memory, "secrets are kept out of swap"),
        (Err(error), limit) => {
            let limit = limit.map_or_else(String::new, |limit| format!("; the limit is {} KiB", limit / 1024));
            findings.warning(
                Probe::Memory,
                format!("secrets can't be kept out of swap ({error}{limit})"),
                "raise the limit of locked memory (`ulimit -l`, or LimitMEMLOCK= of the unit), or encrypt the swap space",
            );
        }
    }
}
