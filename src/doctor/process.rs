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

/// What the unit would give it: the limits of who asks are others.
pub(super) fn tell_of_unit([core, memory]: [&str; 2], findings: &mut Findings) {
    match core {
        "0" => findings.ok(Probe::Core, "a crash of the unit's agent writes no core file (LimitCORE=0)"),
        "" => findings.unknown(Probe::Core, "the unit does not tell its limit of core files"),
        // pinwright gives core files up by itself, so that limit is not needed.
        other => {
            findings.ok(Probe::Core, format!("pinwright gives up core files by itself; the unit has LimitCORE={other}"))
        }
    }
    match memory.parse::<u64>() {
        Ok(bytes) if bytes < LEAST => findings.warning(
            Probe::Memory,
            format!("the unit may lock {bytes} bytes of memory: secrets can't all be kept out of swap"),
            "`systemctl edit pinwright-agent.service`, and there LimitMEMLOCK=8M under [Service]",
        ),
        Ok(bytes) => findings.ok(
            Probe::Memory,
            format!("secrets are kept out of swap: the unit may lock {bytes} bytes (LimitMEMLOCK=)"),
        ),
        Err(_) if memory == "infinity" => {
            findings.ok(Probe::Memory, "secrets are kept out of swap: the unit may lock all memory")
        }
        Err(_) => findings.unknown(Probe::Memory, "the unit does not tell its limit of locked memory"),
    }
}

/// A few pages for each of the secrets that are alive at once.
const LEAST: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn the_units_limits_count_for_the_unit() {
        let told = |limits: [&str; 2]| {
            let mut findings = Findings::default();
            tell_of_unit(limits, &mut findings);
            [findings.list()[0].state, findings.list()[1].state]
        };
        assert_eq!(told(["0", "8388608"]), [State::Ok, State::Ok]);
        assert_eq!(told(["infinity", "infinity"]), [State::Ok, State::Ok]);
        assert_eq!(told(["", ""]), [State::Unknown, State::Unknown]);
        assert_eq!(told(["0", "4096"])[1], State::Warning);
    }
}
