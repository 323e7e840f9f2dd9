//! `pinwright login` and `logout`: a person signs in at AD FS, once for all commands to come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout};

use super::context::CommandContext;
use super::error::CliError;
use super::json::Head;
use super::whoami::SignInObject;
use crate::config::Config;
use crate::operation::Operation;
use crate::os::browser;
use crate::os::prompt::{Terminal, is_interactive};
use crate::secret::SecretBytes;
use crate::secret::scrub::on_own_stack;
use crate::server::auth::{Adfs, AdfsError, Auth, Authorization, Device, Listener, SignInError, Tokens};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is looked whether the person has given up.
const LOOK: Duration = Duration::from_millis(100);

/// How a person signs in.
#[derive(Debug, Clone, Copy, Args)]
pub struct LoginArgs {
    /// Open no browser and no port: print the address, and read the one that the browser ended at.
    #[arg(long, conflicts_with = "device")]
    no_browser: bool,
    /// Sign in on another device, with a code (AD FS of Windows Server 2019 and later).
    #[arg(long)]
    device: bool,
}

/// Signs in, and keeps what AD FS gives.
///
/// # Errors
/// [`CliError::NotAdfs`] where another kind is configured, [`CliError::SignIn`] where AD FS says no or the person gives up.
pub fn login(config: &Config, args: LoginArgs, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let adfs = adfs(config)?;
    let signed_in = on_own_stack(|| {
        let runtime = runtime()?;
        let interrupted = Arc::clone(&context.interrupted);
        let tokens = runtime.block_on(async {
            tokio::select! {
                tokens = sign_in(adfs, args, context) => tokens,
                () = given_up(&interrupted) => Err(AdfsError::GivenUp),
            }
        });
        Ok::<_, CliError>(SignInObject::of(&tokens.map_err(SignInError::from)?, adfs))
    })?;
    if json {
        return context.print_json(&LoginObject { head: Head::done(Operation::Login.schema()), signed_in });
    }
    context.print(&format!("Signed in{}. {}", signed_in.whose(), signed_in.until()))
}

/// Removes the sign-in from this machine.
///
/// # Errors
/// As [`login`].
pub fn logout(config: &Config, json: bool, context: &mut CommandContext<'_>) -> Result<(), CliError> {
    let adfs = adfs(config)?;
    let interrupted = Arc::clone(&context.interrupted);
    let removed = runtime()?.block_on(async {
        tokio::select! {
            removed = adfs.forget() => removed,
            () = given_up(&interrupted) => Err(AdfsError::GivenUp),
        }
    });
    let removed = removed.map_err(SignInError::from)?;
    if json {
        return context.print_json(&LogoutObject { head: Head::done(Operation::Logout.schema()), removed });
    }
    context.print(match removed {
        true => "The sign-in is removed from this machine. AD FS itself takes no token back: it ends by its own time.",
        false => "Nobody was signed in.",
    })
}

/// `pinwright.login/1`.
#[derive(Serialize)]
struct LoginObject {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    signed_in: SignInObject,
}

/// `pinwright.logout/1`.
#[derive(Serialize)]
struct LogoutObject {
    #[serde(flatten)]
    head: Head,
    removed: bool,
}

fn adfs(config: &Config) -> Result<&Adfs, CliError> {
    match &config.server.as_ref().ok_or(CliError::NoServer)?.auth {
        Auth::Adfs(adfs) => Ok(adfs),
        _ => Err(CliError::NotAdfs),
    }
}

fn runtime() -> Result<Runtime, CliError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|source| CliError::System { what: "the network runtime can't be started", source })
}

async fn given_up(interrupted: &AtomicBool) {
    while !interrupted.load(Ordering::Relaxed) {
        sleep(LOOK).await;
    }
}

async fn sign_in(adfs: &Adfs, args: LoginArgs, context: &mut CommandContext<'_>) -> Result<Tokens, AdfsError> {
    if args.device {
        return on_another_device(adfs, context).await;
    }
    let begun = Arc::new(adfs.authorization()?);
    let code = match args.no_browser {
        true => pasted(&begun, context)?,
        false => by_browser(adfs, &begun, context).await?,
    };
    adfs.redeem(&begun, &code).await
}

async fn by_browser(
    adfs: &Adfs,
    begun: &Arc<Authorization>,
    context: &mut CommandContext<'_>,
) -> Result<SecretBytes, AdfsError> {
    // The port first: a browser that comes back to nobody has spent the person's time.
    let listener = Listener::bind(adfs.redirect_port()).await?;
    match browser::open(begun.url.as_str()) {
        Ok(()) => context.say("Sign in in the browser. If none has opened, open this address in one on this machine:"),
        Err(_) => context.say("There is no browser to open here. Open this address in one on this machine:"),
    }
    context.say(begun.url.as_str());
    match timeout(PATIENCE, listener.code(Arc::clone(begun))).await {
        Ok(code) => code,
        Err(_) => Err(AdfsError::NobodyCame { after: PATIENCE }),
    }
}

/// The address is asked for without echo: it has the code.
fn pasted(begun: &Authorization, context: &mut CommandContext<'_>) -> Result<SecretBytes, AdfsError> {
    if !context.may_prompt || !is_interactive() {
        return Err(AdfsError::NoTerminal);
    }
    context.say("Open this address in a browser, on any machine:");
    context.say(begun.url.as_str());
    context.say("Once signed in the browser can't open a page of 127.0.0.1. Copy the address of that page.");
    let until = std::time::Instant::now() + PATIENCE;
    let interrupted = Arc::clone(&context.interrupted);
    let mut go_on = || !interrupted.load(Ordering::Relaxed) && std::time::Instant::now() < until;
    let mut terminal = Terminal::open().map_err(AdfsError::System)?;
    let entry = terminal.long_secret("Paste the address, it is not shown: ", &mut go_on).map_err(AdfsError::System)?;
    match entry {
        Some(address) => begun.code_of_address(address.expose()),
        None if std::time::Instant::now() >= until => Err(AdfsError::NobodyCame { after: PATIENCE }),
        None => Err(AdfsError::GivenUp),
    }
}

async fn on_another_device(adfs: &Adfs, context: &mut CommandContext<'_>) -> Result<Tokens, AdfsError> {
    let mut device: Device = adfs.device().await?;
    context
        .say(&format!("Open {} in a browser on any device, and enter the code {}", device.address, device.user_code));
    let patience = Duration::from_secs(device.expires_in);
    let until = Instant::now() + patience;
    while Instant::now() < until {
        sleep(Duration::from_secs(device.interval)).await;
        if let Some(tokens) = adfs.redeem_device(&mut device).await? {
            return Ok(tokens);
        }
    }
    Err(AdfsError::NobodyCame { after: patience })
}
