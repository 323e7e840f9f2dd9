//! How people start the PC/SC service of this system.

/// Starts one that does not run: an imperative sentence without a full stop.
#[cfg(windows)]
pub const START: &str = "start the Smart Card service: sc start SCardSvr";
/// Starts one that does not run: an imperative sentence without a full stop.
#[cfg(not(windows))]
pub const START: &str =
    "start it: `systemctl start pcscd.socket` (Debian: `apt install pcscd` first), or `pcscd` by hand";

/// Ends the silence of one that hangs: an imperative sentence without a full stop.
#[cfg(windows)]
pub const RESTART: &str = "restart the Smart Card service";
/// Ends the silence of one that hangs: an imperative sentence without a full stop.
#[cfg(not(windows))]
pub const RESTART: &str =
    "restart it: `systemctl restart pcscd`; if that does not help unplug the reader that it hangs in";
