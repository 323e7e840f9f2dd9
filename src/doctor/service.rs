//! The PC/SC service: whether it is there, takes this user in, speaks our protocol, and keeps to itself what passes through it.

use std::path::Path;

use super::finding::{Findings, Probe};
use super::{CardSide, Service};
use crate::os::card_service::process::{self, CoreLimit, DRIVER_LOGS_BYTES, DriverLogLevel, ServiceProcess};
use crate::os::card_service::{self, can_ask_polkit};
use crate::os::{account, loaded, machine};
use crate::reader::ReaderError;

/// A line for each; gives whether its readers can be asked for.
pub(super) fn tell(card_side: CardSide<'_>, findings: &mut Findings) -> bool {
    let listed = card_side.readers.list();
    let is_there = listed.is_ok();
    match &listed {
        Ok(_) => findings.ok(Probe::Service, "answers"),
        Err(error @ ReaderError::AccessDenied) => findings.failed(Probe::Service, error.to_string(), allow()),
        Err(error) if error.needs_a_person() => findings.failed(Probe::Service, error.to_string(), error.remedy()),
        Err(error) => findings.failed_for_now(Probe::Service, error.to_string(), error.remedy()),
    }
    match card_side.service {
        Service::StandIn => findings.skipped(Probe::ServiceLog, "the readers are stand-ins"),
        Service::Socket(socket) => {
            let runs = match listed {
                Ok(_) => true,
                Err(error) => matches!(error, ReaderError::AccessDenied | ReaderError::OtherProtocol),
            };
            of_process(socket, runs, findings);
        }
    }
    if !is_there {
        findings.skipped(Probe::Readers, "the service gives no access to them");
    }
    is_there
}

/// What it takes for polkit to let this very user in.
fn allow() -> String {
    if !can_ask_polkit() {
        return format!(
            "{}. The agent's user needs the package's rule besides (50-pinwright.rules, in /etc/polkit-1/rules.d)",
            card_service::allow()
        );
    }
    let user = account::own_name().unwrap_or_else(|| "USER".to_owned());
    format!(
        "{}. For the user {user}, also without a screen of its own, that is this line in a file such as \
         /etc/polkit-1/rules.d/50-pcscd-{user}.rules (for the agent's user the package has one, 50-pinwright.rules): {}",
        card_service::allow(),
        rule(&user)
    )
}

fn rule(user: &str) -> String {
    format!(
        "polkit.addRule(function(action, subject) {{ if ((action.id == \"org.debian.pcsc-lite.access_pcsc\" || action.id == \
         \"org.debian.pcsc-lite.access_card\") && subject.user == \"{user}\") {{ return polkit.Result.YES; }} }});"
    )
}

/// What its process tells, and what this process has loaded between itself and the service.
fn of_process(socket: &Path, runs: bool, findings: &mut Findings) {
    let found = if runs { Some(process::find(socket)) } else { None };
    let spy = spy(std::env::var("LIBPCSCLITE_DELEGATE").ok().filter(|library| !library.is_empty()));
    match (spy, &found) {
        (Some(reason), _) => findings.failed(
            Probe::ServiceLog,
            format!("every APDU of pinwright passes through {reason}: PINs are in them"),
            "start pinwright without LIBPCSCLITE_DELEGATE and LD_PRELOAD in its environment",
        ),
        (None, None) => findings.skipped(Probe::ServiceLog, "the service does not run"),
        (None, Some(Err(unseen))) => {
            findings.unknown(Probe::ServiceLog, format!("whether the service logs APDUs can't be known: {unseen}"));
        }
        (None, Some(Ok(process))) => of_log(process, findings),
    }
    if let Some(found) = found.as_ref().filter(|_| card_service::MAY_ASK_POLKIT) {
        of_polkit(found.as_ref().ok(), findings);
    }
    if let Some(Ok(process)) = &found {
        of_core(process, findings);
    }
}

/// A library that is put between us and the service.
fn spy(delegate: Option<String>) -> Option<String> {
    let named = delegate.map(|library| format!("{library} (LIBPCSCLITE_DELEGATE)"));
    named.or_else(|| loaded::library("pcscspy"))
}

fn of_log(process: &ServiceProcess, findings: &mut Findings) {
    let pid = process.pid;
    if process.logs_apdus() {
        return findings.failed(
            Probe::ServiceLog,
            format!("pcscd (pid {pid}) was started with --apdu: it logs every APDU, and PINs with them"),
            without_option(process, "--apdu", "-a"),
        );
    }
    // Of the driver's log nothing is shown but in debugging.
    let level = match process.driver_log_level {
        DriverLogLevel::Set(level) => Some(level),
        DriverLogLevel::Unset => process::configured_driver_log_level(),
        // What is configured may be overruled there, and is not lowered by anybody who debugs.
        DriverLogLevel::NotShown => {
            process::configured_driver_log_level().filter(|level| level & DRIVER_LOGS_BYTES != 0)
        }
    };
    match level {
        _ if !process.logs_debug() => findings.ok(Probe::ServiceLog, format!("pcscd (pid {pid}) logs no APDUs")),
        Some(level) if level & DRIVER_LOGS_BYTES != 0 => findings.failed(
            Probe::ServiceLog,
            format!(
                "pcscd (pid {pid}) was started with --debug, and its CCID driver logs all bytes (ifdLogLevel {level}): PINs are in \
                 them"
            ),
            without_option(process, "--debug", "-d"),
        ),
        Some(_) => findings.ok(Probe::ServiceLog, format!("pcscd (pid {pid}) logs no APDUs by itself or through its CCID driver, although it was started with --debug")),
        None => findings.unknown(
            Probe::ServiceLog,
            format!("pcscd (pid {pid}) was started with --debug, and whether its driver logs all bytes can't be seen from here (root sees it)"),
        ),
    }
}

fn without_option(process: &ServiceProcess, long: &str, short: &str) -> String {
    let erase = "erase what it has logged (`journalctl -u pcscd` shows it)";
    match process.is_of_unit {
        true => format!(
            "take {long} (or {short}) out of its command line: `systemctl cat pcscd.service` shows where it stands (ExecStart=, \
             PCSCD_ARGS=), then `systemctl restart pcscd`; {erase}"
        ),
        false => format!("start pcscd again without {long} (or {short}); erase what it has logged"),
    }
}

/// Who may use it.
fn of_polkit(process: Option<&ServiceProcess>, findings: &mut Findings) {
    let anybody = "anybody on this machine may use readers and cards";
    match (machine::card_service(), process) {
        (_, Some(process)) if process.asks_nobody() => {
            findings.ok(Probe::Polkit, format!("not asked: pcscd was started with --disable-polkit, {anybody}"));
        }
        (Some(release), _) if !release.has_polkit => {
            let version = release.version;
            findings.ok(Probe::Polkit, format!("not asked: pcscd {version} is built without polkit, {anybody}"));
        }
        (Some(_), _) => {
            findings.ok(Probe::Polkit, "asked by pcscd: whether it lets this user in is what the line PC/SC says");
        }
        (None, _) => {
            findings.unknown(Probe::Polkit, "whether pcscd asks polkit can't be known: its program is not here")
        }
    }
}

/// It keeps the bytes that it passed on last.
fn of_core(process: &ServiceProcess, findings: &mut Findings) {
    let pid = process.pid;
    match process.core_limit {
        Some(CoreLimit::Bytes(0)) => {
            findings.ok(Probe::ServiceCore, format!("a crash of pcscd (pid {pid}) writes no core file (limit 0)"));
        }
        None => {
            findings.unknown(Probe::ServiceCore, format!("the limit of core files of pcscd (pid {pid}) is not told"))
        }
        Some(limit) => {
            let limit = match limit {
                CoreLimit::Unlimited => "none".to_owned(),
                CoreLimit::Bytes(bytes) => format!("{bytes} bytes"),
            };
            let remedy = match process.is_of_unit {
                true => {
                    "`systemctl edit pcscd.service`, and there LimitCORE=0 under [Service], then `systemctl restart pcscd`"
                }
                false => "start pcscd with a limit of 0 (`ulimit -c 0`)",
            };
            findings.warning(
                Probe::ServiceCore,
                format!("a crash of pcscd (pid {pid}) while a card is in use may write a PIN to a core file (limit: {limit})"),
                remedy,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    fn process(arguments: &[&str], is_of_unit: bool) -> ServiceProcess {
        ServiceProcess {
            pid: 7,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            core_limit: Some(CoreLimit::Unlimited),
            driver_log_level: DriverLogLevel::Set(7),
            is_of_unit,
        }
    }

    fn told(tell: impl FnOnce(&mut Findings)) -> (State, String) {
        let mut findings = Findings::default();
        tell(&mut findings);
        let [finding] = findings.list() else { panic!("{findings:?}") };
        let remedy = finding.remedy.as_ref().map_or_else(String::new, |remedy| format!("; {remedy}"));
        (finding.state, format!("{}{remedy}", finding.reason))
    }

    #[test]
    fn a_service_that_logs_pins_is_told_with_what_to_take_away() {
        let log = |arguments: &[&str], unit| told(|findings| of_log(&process(arguments, unit), findings));
        let (state, text) = log(&["pcscd", "-fa"], false);
        assert!(state == State::Failed && text.contains("start pcscd again without --apdu"), "{text}");
        let (state, text) = log(&["pcscd", "--apdu"], true);
        assert!(state == State::Failed && text.contains("systemctl cat pcscd.service"), "{text}");
        let (state, text) = log(&["pcscd", "-d"], true);
        assert!(state == State::Failed && text.contains("--debug") && text.contains("ifdLogLevel 7"), "{text}");
        let debugged = |level| ServiceProcess { driver_log_level: level, ..process(&["pcscd", "-fd"], true) };
        assert_eq!(told(|findings| of_log(&debugged(DriverLogLevel::Set(3)), findings)).0, State::Ok);
        assert_ne!(told(|findings| of_log(&debugged(DriverLogLevel::NotShown), findings)).0, State::Ok);
        assert_eq!(log(&["pcscd", "-f"], true), (State::Ok, "pcscd (pid 7) logs no APDUs".to_owned()));
    }

    #[test]
    fn a_library_in_between_is_found() {
        assert_eq!(spy(None), None);
        assert_eq!(spy(Some("/x.so".to_owned())).unwrap(), "/x.so (LIBPCSCLITE_DELEGATE)");
    }

    #[test]
    fn core_files_of_the_service_are_a_warning() {
        let core = |limit| {
            told(|findings| of_core(&ServiceProcess { core_limit: limit, ..process(&["pcscd"], true) }, findings))
        };
        assert_eq!(core(Some(CoreLimit::Bytes(0))).0, State::Ok);
        assert_eq!(core(None).0, State::Unknown);
        let (state, text) = core(Some(CoreLimit::Unlimited));
        assert!(state == State::Warning && text.contains("LimitCORE=0"), "{text}");
    }

    #[test]
    fn the_rule_names_the_user() {
        assert!(rule("anna").contains("subject.user == \"anna\""));
    }
}
