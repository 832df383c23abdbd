//! As much of D-Bus as one call to a system service takes: no signals, no objects of our own.
//! Source: D-Bus specification 0.42, "Message Protocol" and "Authentication Protocol".
//!
//! ```text
//! we   \0 AUTH EXTERNAL 31303030      bus  OK 1234deadbeef      we  BEGIN
//! we   call org.freedesktop.DBus.Hello                          bus  return
//! we   call SERVICE.METHOD(arguments)                           bus  return, or error
//! ```
#![cfg(target_os = "linux")]

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the system bus is, unless `DBUS_SYSTEM_BUS_ADDRESS` says otherwise.
const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";
/// Longest time for any answer. Nobody is asked for a password, so a service answers at once.
const WITHIN: Duration = Duration::from_secs(2);
/// Largest message we read, in bytes; the answers to our calls are far smaller.
const MESSAGE_LIMIT: usize = 1 << 16;

/// Message types.
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
/// Header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// A method of a service.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// Bus name of the service.
    pub destination: &'static str,
    /// Its object.
    pub path: &'static str,
    /// Interface of the method.
    pub interface: &'static str,
    /// Its name.
    pub member: &'static str,
}

const HELLO: Method = Method {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "Hello",
};

/// A connection to a bus. A service forgets what it was asked for by a caller that has gone.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    serial: u32,
}

/// The socket of the system bus.
pub fn system_bus() -> PathBuf {
    let named = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").ok();
    let path = named.as_deref().and_then(|address| {
        let first = address.split(';').next()?.strip_prefix("unix:")?;
        first.split(',').find_map(|field| field.strip_prefix("path="))
    });
    path.unwrap_or(SYSTEM_BUS).into()
}

impl Connection {
    /// Connects to the bus at this socket, as the user we are.
    ///
    /// # Errors
    /// The operating system's; `PermissionDenied` when the bus does not take us, `TimedOut` when it does not answer.
    pub fn open(socket: &Path) -> Result<Self> {
        let mut connection = Connection {
            stream: UnixStream::connect(socket)?,
            serial: 0,
        };
        connection.stream.set_read_timeout(Some(WITHIN))?;
        connection.stream.set_write_timeout(Some(WITHIN))?;
        connection.authenticate()?;
        connection.call(HELLO, "", &[])?;
        Ok(connection)
    }

    fn authenticate(&mut self) -> Result<()> {
        let user = rustix::process::geteuid().as_raw().to_string();
        let digits: String = user.bytes().map(|digit| format!("{digit:02x}")).collect();
        self.stream
            .write_all(format!("\0AUTH EXTERNAL {digits}\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).map_err(late)?;
            line.extend_from_slice(&byte);
            if line.len() > 512 {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        if !line.starts_with(b"OK") {
            return Err(ErrorKind::PermissionDenied.into());
        }
        self.stream.write_all(b"BEGIN\r\n")
    }

    /// Calls a method with marshalled arguments and waits until it has returned.
    ///
    /// # Errors
    /// The service's own words as `Other`; `TimedOut`, `InvalidData`, and the operating system's.
    pub fn call(&mut self, method: Method, signature: &str, arguments: &[u8]) -> Result<()> {
        self.serial += 1;
        self.stream
            .write_all(&call(method, self.serial, signature, arguments))?;
        let deadline = Instant::now() + WITHIN;
        while Instant::now() < deadline {
            let answer = self.receive()?;
            if answer.reply_to != Some(self.serial) {
                continue;
            }
            return match answer.kind {
                METHOD_RETURN => Ok(()),
                ERROR => Err(Error::other(
                    answer.first_text().unwrap_or("refused without a word").to_owned(),
                )),
                _ => Err(ErrorKind::InvalidData.into()),
            };
        }
        Err(ErrorKind::TimedOut.into())
    }

    fn receive(&mut self) -> Result<Answer> {
        let mut head = [0; 16];
        self.stream.read_exact(&mut head).map_err(late)?;
        let lengths = lengths(&head).filter(|(fields, body)| fields + body <= MESSAGE_LIMIT);
        let (fields, body) = lengths.ok_or(ErrorKind::InvalidData)?;
        let mut rest = vec![0; fields.next_multiple_of(8) + body];
        self.stream.read_exact(&mut rest).map_err(late)?;
        let body = rest.split_off(fields.next_multiple_of(8));
        rest.truncate(fields);
        Ok(Answer {
            kind: head[1],
            reply_to: reply_serial(&rest),
            body,
        })
    }
}

/// A read that has had its time.
fn late(error: Error) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

struct Answer {
    kind: u8,
    reply_to: Option<u32>,
    body: Vec<u8>,
}

impl Answer {
    /// The text an error begins with.
    fn first_text(&self) -> Option<&str> {
        let length = usize::try_from(number(&self.body, 0)?).ok()?;
        std::str::from_utf8(self.body.get(4..)?.get(..length)?).ok()
    }
}

/// Bytes of header fields and body, by the first 16 bytes of a little-endian message.
fn lengths(head: &[u8; 16]) -> Option<(usize, usize)> {
    let length = |at| usize::try_from(number(head, at)?).ok();
    (head[0] == b'l').then_some(())?;
    Some((length(12)?, length(4)?))
}

/// The serial that an answer is to: a field `5, "u", serial` at a multiple of 8, whose value lies 4 bytes further on.
fn reply_serial(fields: &[u8]) -> Option<u32> {
    (0..fields.len())
        .step_by(8)
        .find(|at| fields.get(*at..at + 4) == Some(&[REPLY_SERIAL, 1, b'u', 0]))
        .and_then(|at| number(fields, at + 4))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// A call, marshalled.
fn call(method: Method, serial: u32, signature: &str, arguments: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    for (code, kind, value) in [
        (PATH, b'o', method.path),
        (INTERFACE, b's', method.interface),
        (MEMBER, b's', method.member),
        (DESTINATION, b's', method.destination),
    ] {
        pad(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        put_text(&mut fields, value);
    }
    if !signature.is_empty() {
        pad(&mut fields, 8);
        fields.extend([
            SIGNATURE,
            1,
            b'g',
            0,
            u8::try_from(signature.len()).unwrap_or(u8::MAX),
        ]);
        fields.extend(signature.bytes());
        fields.push(0);
    }
    let mut message = vec![b'l', METHOD_CALL, 0, 1];
    message.extend(length(arguments.len()).to_le_bytes());
    message.extend(serial.to_le_bytes());
    message.extend(length(fields.len()).to_le_bytes());
    message.extend(fields);
    pad(&mut message, 8);
    message.extend(arguments);
    message
}

/// Appends a string: its length, its bytes, a zero.
pub fn put_text(to: &mut Vec<u8>, text: &str) {
    pad(to, 4);
    to.extend(length(text.len()).to_le_bytes());
    to.extend(text.bytes());
    to.push(0);
}

/// Appends a boolean.
pub fn put_flag(to: &mut Vec<u8>, flag: bool) {
    pad(to, 4);
    to.extend(u32::from(flag).to_le_bytes());
}

fn pad(to: &mut Vec<u8>, multiple: usize) {
    to.resize(to.len().next_multiple_of(multiple), 0);
}

/// Paths and names are far shorter than the 4 GB that D-Bus can count.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_marshalled_byte_for_byte() {
        let message = call(HELLO, 1, "", &[]);
        let mut expected = b"l\x01\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\x6d\x00\x00\x00".to_vec();
        expected.extend(b"\x01\x01o\x00\x15\x00\x00\x00/org/freedesktop/DBus\x00\x00\x00");
        expected.extend(b"\x02\x01s\x00\x14\x00\x00\x00org.freedesktop.DBus\x00\x00\x00\x00");
        expected.extend(b"\x03\x01s\x00\x05\x00\x00\x00Hello\x00\x00\x00");
        expected.extend(b"\x06\x01s\x00\x14\x00\x00\x00org.freedesktop.DBus\x00\x00\x00\x00");
        assert_eq!(message, expected);
    }

    #[test]
    fn the_serial_of_an_answer_is_found_among_its_fields() {
        let mut fields = b"\x06\x01s\x00\x04\x00\x00\x00:1.7\x00\x00\x00\x00".to_vec();
        assert_eq!(reply_serial(&fields), None);
        fields.extend(b"\x05\x01u\x00\x02\x00\x00\x00");
        assert_eq!(reply_serial(&fields), Some(2));
        assert_eq!(reply_serial(&fields[..fields.len() - 1]), None);
    }

    #[test]
    fn a_big_endian_or_endless_message_is_none() {
        let mut head = *b"l\x02\x00\x01\x08\x00\x00\x00\x01\x00\x00\x00\x10\x00\x00\x00";
        assert_eq!(lengths(&head), Some((16, 8)));
        head[0] = b'B';
        assert_eq!(lengths(&head), None);
    }
}
