//! Programs that are none of Windows, for tests that run under Wine: `.ci/windows-guest` has them started for each connection to a port
//! that it names in a variable (`.ci/windows-native`).

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;

/// Starts one in a folder, and gives the connection to it. `None` where the variable names no port.
#[must_use]
pub fn start(variable: &str, folder: &Path, arguments: &[&str]) -> Option<TcpStream> {
    let port = std::env::var(variable).ok()?.parse().unwrap_or_else(|_| panic!("{variable} is no port"));
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap_or_else(|error| panic!("{variable}: {error}"));
    let mut head = format!("{}\n{}\n", folder.display(), arguments.len());
    for argument in arguments {
        assert!(!argument.contains('\n'), "an argument is a line: {argument:?}");
        head.push_str(argument);
        head.push('\n');
    }
    connection.write_all(head.as_bytes()).expect("it has just been connected");
    Some(connection)
}
