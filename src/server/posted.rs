//! What became of a call that changes the server.

use super::error::ServerError;

/// What became of a call that changes the server, where the server has not refused it.
///
/// Decided by how far the body of the request came, and never by how often it was tried: such a call is not repeated.
#[derive(Debug)]
#[must_use]
pub enum Posted<T> {
    /// The server has carried it out, and says so.
    Done(T),
    /// No byte of it has left: nothing was carried out, and nothing will be.
    NotSent(ServerError),
    /// It may have been carried out: the connection broke, no answer came in time, the answer was 5xx, 204 or not understood.
    /// Look at the server's records before anything is sent again.
    Lost(ServerError),
}
