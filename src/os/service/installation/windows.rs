//! The service of the agent among those of Windows.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceExitCode,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo, ServiceSidType, ServiceStartType, ServiceState,
    ServiceStatus, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_LEVEL, ERROR_INVALID_SERVICE_ACCOUNT, ERROR_SERVICE_CANNOT_ACCEPT_CTRL,
    ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_EXISTS, ERROR_SERVICE_MARKED_FOR_DELETE, ERROR_SERVICE_NOT_ACTIVE,
};

use super::{InstallationError, Installed, Standing};
use crate::os::acl::{Share, Sid};
use crate::os::files::{configuration_folder, make_shared_folder, refuse_shared_folder, refuse_writable};
use crate::os::service::NAME;
use crate::os::windows::{event_log, privileges};

const DISPLAY_NAME: &str = "pinwright (PINs of smart cards)";
const DESCRIPTION: &str = "Sets the PINs of smart cards that have an open request at MIM Certificate Management.";

/// An account that Windows makes for this service alone: it has no password, and signs in on the network as the machine.
const OWN_ACCOUNT: &str = "NT SERVICE\\pinwright";

/// How long the machine waits for the service when it goes down: the longest `agent.stop_timeout`, and a little more.
const SHUTDOWN: Duration = Duration::from_secs(630);

/// How often a service that passes from one state to another is looked at, and what its own word on the time counts at least.
const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn install(account: Option<&str>) -> Result<Installed, InstallationError> {
    let account = account.unwrap_or(OWN_ACCOUNT);
    let program = std::env::current_exe().map_err(system("finding this program"))?;
    let opened = File::open(&program).map_err(system("opening this program"))?;
    refuse_writable(&opened, &program).map_err(InstallationError::Exposed)?;
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager =
        ServiceManager::local_computer(None::<&str>, access).map_err(refused("asking the service manager"))?;
    // Before anything is changed. Where it is not seen, it is told when it is made.
    if manager.open_service(NAME, ServiceAccess::QUERY_STATUS).is_ok() {
        return Err(InstallationError::IsThere);
    }
    let configuration = configuration_folder();
    let journal = configuration.join("journal");
    make_folders(&configuration, &journal)?;
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: DISPLAY_NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: program,
        launch_arguments: vec!["agent".into()],
        dependencies: Vec::new(),
        account_name: Some(account.into()),
        account_password: None,
    };
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::DELETE;
    let service = manager.create_service(&info, access).map_err(refused("making the service"))?;
    let set = set_up(&service).and_then(|()| event_log::register(NAME).map_err(system("naming the source of events")));
    if let Err(error) = set {
        // Half a service is worse than none, and why it is only half is what to tell.
        drop(service.delete());
        return Err(error);
    }
    Ok(Installed { account: account.to_owned(), configuration, journal })
}

/// The configuration is for everybody to read, as on other systems; the journal is the service's own. Both belong to the administrators.
fn make_folders(configuration: &Path, journal: &Path) -> Result<(), InstallationError> {
    let service = Sid::of_service(NAME);
    for (folder, others) in [
        (configuration.to_owned(), &[(Sid::USERS, Share::Read)]),
        (configuration.join("config.d"), &[(Sid::USERS, Share::Read)]),
        (configuration.join("credentials"), &[(service, Share::Read)]),
        (journal.to_owned(), &[(service, Share::All)]),
    ] {
        let is_new = make_shared_folder(&folder, others).map_err(system("making a folder"))?;
        // The journal's belongs to the service as well, and may be read by nobody but it.
        if !is_new && folder != journal {
            refuse_shared_folder(&folder).map_err(InstallationError::Exposed)?;
        }
    }
    Ok(())
}

/// Later than what a machine needs to start, with the service's own SID in its token, started anew where it fails.
fn set_up(service: &Service) -> Result<(), InstallationError> {
    let restart =
        |seconds| ServiceAction { action_type: ServiceActionType::Restart, delay: Duration::from_secs(seconds) };
    let failures = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(Duration::from_secs(24 * 3600)),
        reboot_msg: None,
        command: None,
        actions: Some(vec![restart(5), restart(60), restart(300)]),
    };
    let privileges = privileges::give_up(service).map_err(windows_service::Error::Winapi);
    let settings: [(&str, windows_service::Result<()>); 7] = [
        ("a description", service.set_description(DESCRIPTION)),
        ("a start after those of others", service.set_delayed_auto_start(true)),
        ("a start after a failure", service.update_failure_actions(failures)),
        ("a start after an end with an error", service.set_failure_actions_on_non_crash_failures(true)),
        ("a SID of its own", service.set_config_service_sid_info(ServiceSidType::Unrestricted)),
        ("time at a shutdown", service.set_preshutdown_timeout(SHUTDOWN)),
        ("fewer privileges than its account has", privileges),
    ];
    for (what, set) in settings {
        match set {
            // Not a Windows of today: the service works without.
            Err(windows_service::Error::Winapi(error)) if has_code(&error, ERROR_INVALID_LEVEL) => {
                tracing::warn!("this system gives no service {what}");
            }
            set => set.map_err(refused("setting the service up"))?,
        }
    }
    Ok(())
}

pub(super) fn uninstall() -> Result<(), InstallationError> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)
        .map_err(refused("asking the service manager"))?;
    let access = ServiceAccess::QUERY_STATUS | ServiceAccess::STOP | ServiceAccess::DELETE;
    let service = manager.open_service(NAME, access).map_err(refused("opening the service"))?;
    stop(&service)?;
    service.delete().map_err(refused("removing the service"))?;
    event_log::unregister(NAME).map_err(system("removing the source of events"))
}

/// Stops it, and waits for as long as it says that it goes on: jobs on cards come to their end first.
fn stop(service: &Service) -> Result<(), InstallationError> {
    let (mut last, mut is_told) = ((ServiceState::Stopped, 0), false);
    let mut deadline = Instant::now() + PATIENCE;
    loop {
        let status = service.query_status().map_err(refused("asking for the service's state"))?;
        match status.current_state {
            ServiceState::Stopped => return Ok(()),
            ServiceState::StartPending | ServiceState::StopPending => {}
            _ if is_told => {}
            _ => match service.stop() {
                Ok(_) => is_told = true,
                Err(windows_service::Error::Winapi(error))
                    if has_code(&error, ERROR_SERVICE_NOT_ACTIVE)
                        || has_code(&error, ERROR_SERVICE_CANNOT_ACCEPT_CTRL) => {}
                Err(error) => return Err(refused("stopping the service")(error)),
            },
        }
        let now = (status.current_state, status.checkpoint);
        if now != last {
            last = now;
            deadline = Instant::now() + status.wait_hint.max(PATIENCE);
        }
        if Instant::now() > deadline {
            return Err(InstallationError::GoesOn);
        }
        thread::sleep(PAUSE);
    }
}

/// How the service stands, as anybody may ask; `None` where the manager does not say.
pub(in crate::os::service) fn standing() -> Option<Standing> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT).ok()?;
    let service = match manager.open_service(NAME, ServiceAccess::QUERY_STATUS) {
        Ok(service) => service,
        Err(windows_service::Error::Winapi(error)) if has_code(&error, ERROR_SERVICE_DOES_NOT_EXIST) => {
            return Some(Standing::NotThere);
        }
        Err(_) => return None,
    };
    let ServiceStatus { current_state, exit_code, .. } = service.query_status().ok()?;
    Some(match (current_state, exit_code) {
        (ServiceState::Stopped, ServiceExitCode::ServiceSpecific(code)) => Standing::Failed { code },
        (ServiceState::Stopped, ServiceExitCode::Win32(_)) => Standing::Stopped,
        (ServiceState::StartPending, _) => Standing::Starts,
        (ServiceState::StopPending, _) => Standing::Stops,
        _ => Standing::Runs,
    })
}

/// The account that the service works as, by its name; `None` where there is no service, or the manager does not say.
pub(in crate::os) fn account() -> Option<OsString> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT).ok()?;
    let service = manager.open_service(NAME, ServiceAccess::QUERY_CONFIG).ok()?;
    service.query_config().ok()?.account_name
}

fn has_code(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

fn refused(what: &'static str) -> impl Fn(windows_service::Error) -> InstallationError {
    move |error| match error {
        windows_service::Error::Winapi(source) => system(what)(source),
        other => InstallationError::System { what, source: io::Error::other(other) },
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> InstallationError {
    move |source| match source.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_ACCESS_DENIED) => InstallationError::NotAllowed,
        Some(ERROR_SERVICE_EXISTS) => InstallationError::IsThere,
        Some(ERROR_SERVICE_MARKED_FOR_DELETE) => InstallationError::IsGoing,
        Some(ERROR_SERVICE_DOES_NOT_EXIST) => InstallationError::IsNotThere,
        Some(ERROR_INVALID_SERVICE_ACCOUNT) => InstallationError::NoAccount,
        _ => InstallationError::System { what, source },
    }
}
