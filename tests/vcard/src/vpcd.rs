//! The card's end of vpcd's protocol: a length of two bytes, big-endian, and that many bytes; one byte is a control code.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::linux::net::TcpStreamExt as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::apdu::Processor;
use crate::cards::Application;
use crate::log::Log;

const POWER_OFF: u8 = 0x00;
const POWER_ON: u8 = 0x01;
const RESET: u8 = 0x02;
const GET_ATR: u8 = 0x04;

/// A pcscd that has just been started opens its readers one by one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the card until the reader goes away, which is a good end.
pub fn serve(port: u16, atr: &[u8], card: &mut Processor<impl Application>, mut log: Log) -> io::Result<()> {
    let mut reader = connect(port)?;
    println!("READY port={port} pid={}", std::process::id());
    io::stdout().flush()?;
    while let Some(message) = receive(&mut reader)? {
        match message[..] {
            [GET_ATR] => send(&mut reader, atr)?,
            [control @ (POWER_OFF | POWER_ON | RESET)] => {
                log.event(match control {
                    POWER_OFF => "power off",
                    POWER_ON => "power on",
                    _ => "reset",
                })?;
                card.reset();
            }
            // A control code of a later version asks for no answer.
            [_] | [] => {}
            _ => {
                let response = card.process(&message);
                log.exchange(&message, &response)?;
                send(&mut reader, &response)?;
            }
        }
    }
    Ok(())
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The next message; nothing when the reader has closed.
fn receive(reader: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    if !read(reader, &mut length)? {
        return Ok(None);
    }
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    Ok(read(reader, &mut message)?.then_some(message))
}

/// Fills the buffer; `false` when the reader has closed.
fn read(reader: &mut TcpStream, mut buffer: &mut [u8]) -> io::Result<bool> {
    while !buffer.is_empty() {
        // vpcd 0.8 sends length and body apart, and its kernel holds the second back until the first is acknowledged:
        // 40 ms a command with a delayed acknowledgement. The option wears off, so it is set before every read.
        reader.set_quickack(true)?;
        match reader.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => buffer = &mut buffer[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A killed pcscd leaves a reset connection.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn send(reader: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
    // In one piece, for the same reason.
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(message);
    reader.write_all(&frame)
}
