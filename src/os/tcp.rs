//! What TCP connections can be asked for on one system and not on another.

use std::io;
use std::net::TcpStream;

/// Has what is read next acknowledged at once. The system forgets it: to be asked for before every read. Linux delays
/// acknowledgements by 40 ms otherwise; elsewhere nothing is done.
///
/// # Errors
/// The system refused.
pub fn acknowledge_at_once(stream: &TcpStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    std::os::linux::net::TcpStreamExt::set_quickack(stream, true)?;
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
    Ok(())
}
