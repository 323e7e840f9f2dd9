//! Puts a virtual card into a reader of pcscd, over the protocol of vsmartcard's vpcd driver.
//!
//! The driver listens; the card connects. Both directions carry a two-byte big-endian length and as
//! many bytes. One byte is a control command (00 power off, 01 power on, 02 reset, 04 give the ATR),
//! of which only the ATR is answered; anything longer is an APDU and is answered with an APDU.
//! Closing the connection removes the card from the reader.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::card::{LinkFault, VirtualCard};
use crate::os::tcp::acknowledge_at_once;

const POWER_OFF: u8 = 0x00;
const POWER_ON: u8 = 0x01;
const RESET: u8 = 0x02;
const GET_ATR: u8 = 0x04;
const CONNECT_RETRY: Duration = Duration::from_millis(50);
/// How often a card that waits for a command asks whether it was stopped: on Windows nothing wakes a read.
const ASK_STOP: Duration = Duration::from_millis(100);

/// How a card is served.
#[derive(Debug, Clone)]
pub struct VpcdOptions {
    /// Host of the vpcd driver.
    pub host: String,
    /// Port of the reader's slot.
    pub port: u16,
    /// How long to wait for the driver to listen.
    pub connect_timeout: Duration,
    /// Slows every answer to an APDU down, as a real card would.
    pub delay: Duration,
}

impl VpcdOptions {
    /// Local driver, five seconds of patience, no delay.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self { host: "127.0.0.1".to_owned(), port, connect_timeout: Duration::from_secs(5), delay: Duration::ZERO }
    }
}

/// Why serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By the stop flag.
    Stopped,
    /// The driver closed the connection (pcscd ended, or another card took the slot).
    Closed,
    /// The card removed itself ([`LinkFault::Removed`]).
    Removed,
}

/// Why a card could not be served.
#[derive(Debug, thiserror::Error)]
pub enum VpcdError {
    /// No driver listens there.
    #[error("no vpcd reader at {host}:{port}")]
    Connect {
        /// Host tried.
        host: String,
        /// Port tried.
        port: u16,
        /// The last refusal.
        source: io::Error,
    },
    /// The connection broke, or no thread could be started.
    #[error("connection to vpcd failed")]
    Link(#[from] io::Error),
}

/// Stops serving; shared between the server and whoever ends it.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<StopState>);

#[derive(Debug, Default)]
struct StopState {
    stopped: AtomicBool,
    stream: Mutex<Option<TcpStream>>,
}

impl StopFlag {
    /// Ends serving at once, also while it waits for a command.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        let stream = self.0.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = stream.as_ref() {
            // Fails only where the peer was faster.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Whether [`Self::stop`] was called.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    /// Hands over the connection that `stop` shall cut.
    fn watch(&self, stream: TcpStream) {
        let mut watched = self.0.stream.lock().unwrap_or_else(PoisonError::into_inner);
        *watched = Some(stream);
    }
}

/// Serves a card until it is stopped, removed, or the driver goes away. Blocks.
///
/// # Errors
///
/// Where no driver listens within the patience given, or the connection breaks.
pub fn serve<C: VirtualCard + ?Sized>(
    card: &mut C,
    options: &VpcdOptions,
    stop: &StopFlag,
) -> Result<Ended, VpcdError> {
    let Some(stream) = connect(options, stop)? else {
        return Ok(Ended::Stopped);
    };
    serve_on(card, stream, options.delay, stop)
}

/// A card being served by a thread of its own; dropping the handle removes the card.
#[derive(Debug)]
pub struct VpcdHandle {
    stop: StopFlag,
    thread: Option<JoinHandle<Result<Ended, VpcdError>>>,
}

impl VpcdHandle {
    /// Connects (waiting as `options` say), then serves in the background.
    ///
    /// # Errors
    ///
    /// Where no driver listens, or no thread can be started.
    pub fn insert<C>(mut card: C, options: &VpcdOptions) -> Result<Self, VpcdError>
    where
        C: VirtualCard + 'static,
    {
        let stop = StopFlag::default();
        let delay = options.delay;
        // Connected before the thread starts, so that "no reader" is told to the caller.
        let stream = connect(options, &stop)?.ok_or_else(|| io::Error::from(io::ErrorKind::Interrupted))?;
        stop.watch(stream.try_clone()?);
        let inner = stop.clone();
        let thread = thread::Builder::new()
            .name("virtual card".to_owned())
            .spawn(move || serve_on(&mut card, stream, delay, &inner))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Whether the card is still in the reader.
    #[must_use]
    pub fn is_inserted(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }

    /// Takes the card out and tells how serving ended; `None` where the card's thread failed.
    pub fn remove(mut self) -> Option<Result<Ended, VpcdError>> {
        self.stop.stop();
        self.thread.take()?.join().ok()
    }
}

impl Drop for VpcdHandle {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn connect(options: &VpcdOptions, stop: &StopFlag) -> Result<Option<TcpStream>, VpcdError> {
    let deadline = Instant::now() + options.connect_timeout;
    loop {
        if stop.stopped() {
            return Ok(None);
        }
        match TcpStream::connect((options.host.as_str(), options.port)) {
            Ok(stream) => return Ok(Some(stream)),
            Err(source) if Instant::now() >= deadline => {
                return Err(VpcdError::Connect { host: options.host.clone(), port: options.port, source });
            }
            Err(_) => thread::sleep(CONNECT_RETRY),
        }
    }
}

fn serve_on<C: VirtualCard + ?Sized>(
    card: &mut C,
    mut stream: TcpStream,
    delay: Duration,
    stop: &StopFlag,
) -> Result<Ended, VpcdError> {
    let ended = loop {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ASK_STOP))?;
        stop.watch(stream.try_clone()?);
        let driver = stream.peer_addr()?;
        let left = converse(card, &mut stream, delay, stop);
        // The watched clone would keep the connection open, and so the card in the reader.
        let _ = stream.shutdown(Shutdown::Both);
        match left {
            Ok(Left::Broken) if !stop.stopped() => stream = TcpStream::connect(driver)?,
            Ok(Left::Broken) => break Ok(Ended::Stopped),
            Ok(Left::For(ended)) => break Ok(ended),
            Err(_) if stop.stopped() => break Ok(Ended::Stopped),
            Err(error) if peer_left(&error) => break Ok(Ended::Closed),
            Err(error) => break Err(error.into()),
        }
    };
    // Whichever side ended first, nothing of this session may survive in the card.
    card.power_off();
    ended
}

/// How a connection was left.
enum Left {
    /// In the middle of an exchange; the card stays in the reader and comes back at once.
    Broken,
    For(Ended),
}

fn converse<C: VirtualCard + ?Sized>(
    card: &mut C,
    stream: &mut TcpStream,
    delay: Duration,
    stop: &StopFlag,
) -> io::Result<Left> {
    while !stop.stopped() {
        let Some(message) = receive(stream, stop)? else { break };
        match message.as_slice() {
            [] => {}
            [POWER_OFF] => card.power_off(),
            [POWER_ON | RESET] => card.reset(),
            [GET_ATR] => send(stream, card.atr())?,
            [other] => tracing::warn!(control = other, "unknown vpcd control command"),
            apdu => {
                if !delay.is_zero() {
                    thread::sleep(delay);
                }
                match card.transmit(apdu) {
                    Ok(answer) => send(stream, &answer)?,
                    Err(LinkFault::Removed) => return Ok(Left::For(Ended::Removed)),
                    // The protocol knows no error, and an empty answer makes the driver wait for
                    // ever (0.8). A closed connection is what is left: the client gets an empty
                    // answer, then SCARD_E_NOT_TRANSACTED until the driver looks again (400 ms).
                    Err(LinkFault::Transmission | LinkFault::Reset) => return Ok(Left::Broken),
                    // No answer; pcscd waits, as it would for a card that hangs.
                    Err(LinkFault::Hang) => {}
                }
            }
        }
    }
    Ok(Left::For(Ended::Stopped))
}

/// The next message, or nothing where the card was stopped.
fn receive(stream: &mut TcpStream, stop: &StopFlag) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    if !fill(stream, &mut length, stop)? {
        return Ok(None);
    }
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    Ok(fill(stream, &mut message, stop)?.then_some(message))
}

/// Whether it was filled before the card was stopped.
fn fill(stream: &mut TcpStream, mut buffer: &mut [u8], stop: &StopFlag) -> io::Result<bool> {
    while !buffer.is_empty() {
        // vpcd up to 0.8 sends length and content in two segments and waits for the acknowledgement of the first; a delayed one
        // costs 44 ms per APDU.
        acknowledge_at_once(stream)?;
        match stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => buffer = buffer.split_at_mut(read).1,
            Err(error) if is_no_end(&error) && stop.stopped() => return Ok(false),
            Err(error) if is_no_end(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// A read that timed out is told in two ways.
fn is_no_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Length and content in one write: two would meet Nagle's algorithm on the other side.
fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    stream.write_all(&bytes)
}

fn peer_left(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::card::SharedCard;
    use crate::sim::fault::{Fault, Faulty};
    use crate::sim::gids::{GidsCard, GidsSettings};
    use std::net::TcpListener;

    fn insert<C: VirtualCard + 'static>(card: C) -> (VpcdHandle, TcpStream) {
        // Plays the driver; port 0 lets the system choose, since the card is told the port.
        let driver = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = VpcdOptions::local(driver.local_addr().unwrap().port());
        let handle = VpcdHandle::insert(card, &options).unwrap();
        let stream = driver.accept().unwrap().0;
        (handle, stream)
    }

    fn answer(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
        Ok(receive(stream, &StopFlag::default())?.expect("nobody stops the driver"))
    }

    fn ask(stream: &mut TcpStream, message: &[u8]) -> Vec<u8> {
        send(stream, message).unwrap();
        answer(stream).unwrap()
    }

    #[test]
    fn speaks_the_protocol() {
        let card = SharedCard::new(GidsCard::personalised(GidsSettings::default()));
        let (handle, mut driver) = insert(card.clone());
        send(&mut driver, &[POWER_ON]).unwrap();
        assert_eq!(ask(&mut driver, &[GET_ATR]), crate::sim::gids::ATR);
        let select = b"\x00\xA4\x04\x0C\x09\xA0\x00\x00\x03\x97\x42\x54\x46\x59";
        assert_eq!(ask(&mut driver, select), [0x90, 0x00]);
        send(&mut driver, &[RESET]).unwrap();
        assert_eq!(ask(&mut driver, b"\x00\x20\x00\x80"), [0x69, 0x86]);
        assert_eq!(card.with(|card| card.commands_seen()), 2);
        assert!(handle.is_inserted());
        assert_eq!(handle.remove().unwrap().unwrap(), Ended::Stopped);
        assert!(answer(&mut driver).is_err());
    }

    #[test]
    fn a_transmission_fault_comes_back_and_a_removed_card_does_not() {
        let card = GidsCard::blank();
        let faulty = Faulty::new(card).at(0, Fault::LostCommand).at(2, Fault::Removed);
        let driver = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = VpcdOptions::local(driver.local_addr().unwrap().port());
        let handle = VpcdHandle::insert(faulty, &options).unwrap();
        let mut first = driver.accept().unwrap().0;
        send(&mut first, b"\x00\x20\x00\x80").unwrap();
        assert!(answer(&mut first).is_err());
        let mut second = driver.accept().unwrap().0;
        assert_eq!(ask(&mut second, b"\x00\x20\x00\x80"), [0x69, 0x86]);
        send(&mut second, b"\x00\x20\x00\x80").unwrap();
        assert!(answer(&mut second).is_err());
        assert_eq!(handle.remove().unwrap().unwrap(), Ended::Removed);
    }

    #[test]
    fn nobody_listening_is_told_within_the_patience() {
        let port = {
            let gone = TcpListener::bind("127.0.0.1:0").unwrap();
            gone.local_addr().unwrap().port()
        };
        let options = VpcdOptions { connect_timeout: Duration::from_millis(60), ..VpcdOptions::local(port) };
        let error = VpcdHandle::insert(GidsCard::blank(), &options).unwrap_err();
        assert!(matches!(error, VpcdError::Connect { .. }));
    }
}
