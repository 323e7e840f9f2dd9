//! The service manager of Windows, where it has started this process.
//!
//! It is answered on a thread of its own, so that the agent runs as it does everywhere: it is told what the agent tells, and what it asks
//! for comes as a signal.

// What the macro writes for the entry takes the arguments from where the manager has put them.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use windows_service::define_windows_service;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::service_dispatcher;

use super::{NAME, Notice};
use crate::os::acl::Sid;
use crate::os::signals::Signal;
use crate::os::windows::security;

define_windows_service!(entry, serve);

/// What the agent may need until it serves.
const START: Duration = Duration::from_secs(90);

/// The silence after which the manager gives up a service that starts or stops, and how often it hears that it goes on.
const SILENCE: Duration = Duration::from_secs(10);
const BEAT: Duration = Duration::from_secs(2);

/// How the manager is told; `None` where it has not started this process.
static MANAGER: OnceLock<Option<ServiceStatusHandle>> = OnceLock::new();

/// Counts what the manager was told, and is held while it is told: nothing old comes after something new.
static TOLD: Mutex<u64> = Mutex::new(0);

/// Where the entry says that it was entered.
static ENTERED: Mutex<Option<SyncSender<Option<ServiceStatusHandle>>>> = Mutex::new(None);

/// Wakes the entry at the end of the service: it may not return before, since the manager takes that for the end.
static END: Mutex<Option<SyncSender<()>>> = Mutex::new(None);

/// Who is told what the manager asks for.
static TAKE: OnceLock<Box<dyn Fn(Signal) + Send + Sync>> = OnceLock::new();

/// Answers the manager where it has started this process. To be called first, since it does not wait for long.
pub(super) fn join() {
    MANAGER.get_or_init(|| {
        let (entered, answer) = sync_channel(2);
        *ENTERED.lock().unwrap_or_else(PoisonError::into_inner) = Some(entered.clone());
        let dispatch = move || {
            // Comes back at once where the manager has not started this process, and otherwise at the service's end.
            if service_dispatcher::start(NAME, entry).is_err() {
                let _ = entered.try_send(None);
            }
        };
        thread::Builder::new().name("service".to_owned()).spawn(dispatch).ok()?;
        answer.recv().ok().flatten()
    });
    // A manager that is not told takes the start for one that hangs; the service works all the same.
    drop(tell(ServiceState::StartPending, START));
}

/// The manager's entry, left at the end of the service.
fn serve(_arguments: Vec<OsString>) {
    let handler = service_control_handler::register(NAME, |control| {
        if matches!(control, ServiceControl::Interrogate) {
            return ServiceControlHandlerResult::NoError;
        }
        let Some(signal) = signal(&control) else { return ServiceControlHandlerResult::NotImplemented };
        tracing::info!("the service manager says {control:?}");
        if let Some(take) = TAKE.get() {
            take(signal);
        }
        ServiceControlHandlerResult::NoError
    });
    let (end, ended) = sync_channel(1);
    *END.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    let manager = handler.ok();
    if let Some(entered) = ENTERED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = entered.try_send(manager);
    }
    // An error is as good: nobody is left to wake us.
    let _: Result<(), _> = ended.recv();
}

/// What a control is to the agent: a shutdown has it end as a stop does, with jobs on cards first.
fn signal(control: &ServiceControl) -> Option<Signal> {
    match control {
        ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => Some(Signal::Terminate),
        ServiceControl::ParamChange => Some(Signal::Reload),
        _ => None,
    }
}

fn status(state: ServiceState, checkpoint: u32, exit_code: ServiceExitCode) -> ServiceStatus {
    let controls_accepted = match state {
        // With both the manager asks the first one alone where it knows it.
        ServiceState::Running => {
            ServiceControlAccept::STOP
                | ServiceControlAccept::PRESHUTDOWN
                | ServiceControlAccept::SHUTDOWN
                | ServiceControlAccept::PARAM_CHANGE
        }
        _ => ServiceControlAccept::empty(),
    };
    ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted,
        exit_code,
        checkpoint,
        wait_hint: if checkpoint == 0 { Duration::ZERO } else { SILENCE },
        process_id: None,
    }
}

/// Whether the manager has started this process and is answered.
pub(in crate::os) fn is_joined() -> bool {
    matches!(MANAGER.get(), Some(Some(_)))
}

pub(super) fn is_one() -> bool {
    is_joined() || security::has(None, &Sid::SERVICE)
}

pub(super) fn on_control(take: impl Fn(Signal) + Send + Sync + 'static) {
    // There is one agent a process.
    drop(TAKE.set(Box::new(take)));
}

pub(super) fn notify(notice: Notice<'_>) -> io::Result<()> {
    match notice {
        Notice::Ready => tell(ServiceState::Running, Duration::ZERO),
        Notice::Stopping { within } => tell(ServiceState::StopPending, within),
        Notice::Alive | Notice::Status(_) => Ok(()),
    }
}

/// Tells how the service has ended. With a code that is not 0 the manager takes it for a failure.
pub(super) fn ended(code: u8) -> io::Result<()> {
    let code = match code {
        0 => ServiceExitCode::NO_ERROR,
        code => ServiceExitCode::ServiceSpecific(u32::from(code)),
    };
    let told = match MANAGER.get() {
        Some(Some(manager)) => {
            *TOLD.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            set(*manager, status(ServiceState::Stopped, 0, code))
        }
        _ => Ok(()),
    };
    drop(END.lock().unwrap_or_else(PoisonError::into_inner).take());
    told
}

/// Tells a state. One that passes is told again and again for as long as it may take, with a number that grows: so the manager knows the
/// service from one that hangs.
fn tell(state: ServiceState, within: Duration) -> io::Result<()> {
    let Some(Some(manager)) = MANAGER.get() else { return Ok(()) };
    let passes = within > Duration::ZERO;
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    *told += 1;
    let number = *told;
    set(*manager, status(state, u32::from(passes), ServiceExitCode::NO_ERROR))?;
    drop(told);
    if passes {
        let go_on = move || tell_again(*manager, state, number, Instant::now() + within);
        thread::Builder::new().name("service-state".to_owned()).spawn(go_on)?;
    }
    Ok(())
}

/// Until something else was told, or that moment has come.
fn tell_again(manager: ServiceStatusHandle, state: ServiceState, number: u64, until: Instant) {
    for checkpoint in 2.. {
        thread::sleep(BEAT);
        let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != number || Instant::now() > until {
            return;
        }
        // The next one may come through.
        drop(set(manager, status(state, checkpoint, ServiceExitCode::NO_ERROR)));
    }
}

fn set(manager: ServiceStatusHandle, status: ServiceStatus) -> io::Result<()> {
    manager.set_service_status(status).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_and_a_shutdown_are_the_same_and_what_is_taken_is_announced() {
        let taken = [
            (ServiceControl::Stop, ServiceControlAccept::STOP, Signal::Terminate),
            (ServiceControl::Shutdown, ServiceControlAccept::SHUTDOWN, Signal::Terminate),
            (ServiceControl::Preshutdown, ServiceControlAccept::PRESHUTDOWN, Signal::Terminate),
            (ServiceControl::ParamChange, ServiceControlAccept::PARAM_CHANGE, Signal::Reload),
        ];
        let running = status(ServiceState::Running, 0, ServiceExitCode::NO_ERROR);
        for (control, accept, expected) in &taken {
            assert_eq!(signal(control), Some(*expected), "{control:?}");
            assert!(running.controls_accepted.contains(*accept), "{control:?}");
        }
        assert_eq!(running.controls_accepted.iter().count(), taken.len());
        assert_eq!((signal(&ServiceControl::Pause), signal(&ServiceControl::NetBindAdd)), (None, None));
    }

    #[test]
    fn only_a_state_that_passes_has_a_number_and_a_hint() {
        for state in [ServiceState::Running, ServiceState::Stopped] {
            let status = status(state, 0, ServiceExitCode::NO_ERROR);
            assert_eq!((status.checkpoint, status.wait_hint), (0, Duration::ZERO));
        }
        for state in [ServiceState::StartPending, ServiceState::StopPending] {
            let status = status(state, 7, ServiceExitCode::NO_ERROR);
            assert_eq!((status.checkpoint, status.controls_accepted), (7, ServiceControlAccept::empty()));
            assert!(status.wait_hint > 2 * BEAT, "a beat that comes late is in time");
        }
    }
}
