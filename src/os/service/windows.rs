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
use std::time::Duration;

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

/// How the manager is told; `None` where it has not started this process.
static MANAGER: OnceLock<Option<ServiceStatusHandle>> = OnceLock::new();

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
        std::thread::Builder::new().name("service".to_owned()).spawn(dispatch).ok()?;
        answer.recv().ok().flatten()
    });
}

/// The manager's entry, left at the end of the service.
fn serve(_arguments: Vec<OsString>) {
    let handler = service_control_handler::register(NAME, |control| {
        let signal = match control {
            ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => Signal::Terminate,
            ServiceControl::ParamChange => Signal::Reload,
            ServiceControl::Interrogate => return ServiceControlHandlerResult::NoError,
            _ => return ServiceControlHandlerResult::NotImplemented,
        };
        if let Some(take) = TAKE.get() {
            take(signal);
        }
        ServiceControlHandlerResult::NoError
    });
    let (end, ended) = sync_channel(1);
    *END.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    let manager = handler.ok();
    if let Some(manager) = manager {
        drop(manager.set_service_status(status(ServiceState::StartPending, START, ServiceExitCode::NO_ERROR)));
    }
    if let Some(entered) = ENTERED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = entered.try_send(manager);
    }
    // An error is as good: nobody is left to wake us.
    let _: Result<(), _> = ended.recv();
}

fn status(state: ServiceState, within: Duration, exit_code: ServiceExitCode) -> ServiceStatus {
    let controls_accepted = match state {
        ServiceState::Running => {
            ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN | ServiceControlAccept::PARAM_CHANGE
        }
        _ => ServiceControlAccept::empty(),
    };
    ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted,
        exit_code,
        checkpoint: 0,
        wait_hint: within,
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
    let (state, within) = match notice {
        Notice::Ready => (ServiceState::Running, Duration::ZERO),
        Notice::Stopping { within } => (ServiceState::StopPending, within),
        Notice::Alive | Notice::Status(_) => return Ok(()),
    };
    tell(status(state, within, ServiceExitCode::NO_ERROR))
}

/// Tells how the service has ended. With a code that is not 0 the manager takes it for a failure.
pub(super) fn ended(code: u8) -> io::Result<()> {
    let code = match code {
        0 => ServiceExitCode::NO_ERROR,
        code => ServiceExitCode::ServiceSpecific(u32::from(code)),
    };
    let told = tell(status(ServiceState::Stopped, Duration::ZERO, code));
    drop(END.lock().unwrap_or_else(PoisonError::into_inner).take());
    told
}

fn tell(status: ServiceStatus) -> io::Result<()> {
    let Some(Some(manager)) = MANAGER.get() else { return Ok(()) };
    manager.set_service_status(status).map_err(io::Error::other)
}
