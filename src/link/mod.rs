//! Byte pipes to a module: how bytes reach a port of the operating system, and nothing about what they mean.
//!
//! A [`Pipe`] is a tty or COM port ([`Serial`]), a serial function of a USB device without a driver in between, or a
//! port that a server on the network serves: [`open_patiently`] makes it of an [`Address`]. [`Line`] makes a session's [`Wire`](qpyflash_protocols::Wire) of it:
//! clock, cancellation, the trace and the reports of the run.

mod access;
mod address;
mod cancel;
mod holder;
mod line;
mod owner;
pub mod rfc2217;
#[cfg_attr(unix, path = "serial_unix.rs")]
#[cfg_attr(not(unix), path = "serial_portable.rs")]
mod serial;
mod trace;
mod usb;

pub use access::{Rights, may_open};
pub use address::{Address, Transport, UsbAddress};
pub use cancel::Cancel;
pub use holder::{Holder, holder, holders, programs};
pub use line::{Line, Settings};
pub use owner::Owner;
pub use rfc2217::{NotARemoteAddress, RemoteAddress};
pub use serial::Serial;
pub use trace::{Speech, Trace};

use std::path::Path;
use std::time::{Duration, Instant};

use qpyflash_protocols::WireError;

use crate::error::{Error, Kind};

/// Bytes in, bytes out, never waiting longer than asked. What [`Line`] is built on.
pub trait Pipe: Send {
    /// Writes some of `bytes`, waiting up to `within` for room; 0 means that there was none.
    ///
    /// # Errors
    /// [`WireError::Gone`] when the port has disappeared, [`WireError::Failed`] for anything else.
    fn write(&mut self, bytes: &[u8], within: Duration) -> Result<usize, WireError>;

    /// Reads some bytes, waiting up to `within` for the first; 0 means that none came.
    ///
    /// # Errors
    /// As [`Pipe::write`].
    fn read(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError>;

    /// Changes the line speed.
    ///
    /// # Errors
    /// [`WireError::Failed`] when the port refuses it.
    fn set_baud(&mut self, baud: u32) -> Result<(), WireError>;

    /// Gives back what was taken from others to open it, and says what could not be given back.
    fn close(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such port (any more).
    #[error("there is no port `{0}`")]
    Missing(String),
    /// The user may not open it.
    #[error("no permission to open `{port}`{}", .rights.as_ref().map(|rights| format!(" ({rights})")).unwrap_or_default())]
    Denied {
        /// The port.
        port: String,
        /// Who may.
        rights: Option<Rights>,
    },
    /// Another program holds it.
    #[error("`{port}` is in use by another program{}", .holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default())]
    Busy {
        /// The port.
        port: String,
        /// Which, where the system tells.
        holder: Option<Holder>,
    },
    /// Somebody stopped the run while the port was not yet free.
    #[error("interrupted while waiting for `{0}`")]
    Cancelled(String),
    /// It exists and is something else.
    #[error("`{0}` is not a serial port")]
    NotAPort(String),
    /// Its server on the network cannot be reached.
    #[error("no connection to `{port}`: {why}")]
    Unreachable {
        /// The port.
        port: String,
        /// The operating system's words.
        why: String,
    },
    /// What serves it on the network cannot serve a module.
    #[error("what serves `{port}` cannot be used: {why}")]
    Unfit {
        /// The port.
        port: String,
        /// What it refuses, or is.
        why: String,
    },
    /// It exists and cannot be opened.
    #[error("cannot open `{port}`: {why}")]
    Failed {
        /// The port.
        port: String,
        /// The operating system's words.
        why: String,
    },
}

impl OpenError {
    /// Sorts the operating system's answer to an open call.
    fn sort(port: &Path, error: &serialport::Error) -> Self {
        use std::io::ErrorKind as Io;
        let name = port.display().to_string();
        let text = error.to_string();
        // serialport has no kind for a lock that somebody else holds, and calls a forbidden port "no device".
        match (error.kind(), is_serial(port).map_err(|why| why.kind())) {
            _ if text.contains("exclusive lock") || text.to_lowercase().contains("busy") => OpenError::Busy {
                port: name,
                holder: None,
            },
            (serialport::ErrorKind::Io(Io::NotFound), _) | (_, Err(Io::NotFound)) => OpenError::Missing(name),
            (serialport::ErrorKind::Io(Io::PermissionDenied), _) | (_, Err(Io::PermissionDenied)) => {
                OpenError::Denied {
                    port: name,
                    rights: Rights::of(port, Path::new("/etc")),
                }
            }
            (_, Ok(false)) => OpenError::NotAPort(name),
            _ => OpenError::Failed {
                port: name,
                why: text,
            },
        }
    }
}

impl OpenError {
    /// With the name of the program that holds the port.
    fn explained(self) -> Self {
        match self {
            OpenError::Busy { port, holder: None } => OpenError::Busy {
                holder: holder(Path::new("/proc"), Path::new(&port)),
                port,
            },
            other => other,
        }
    }
}

impl OpenError {
    /// Nothing that time could change.
    const fn is_final(&self) -> bool {
        matches!(self, OpenError::NotAPort(_) | OpenError::Unfit { .. })
    }
}

/// What a person does about a program that holds a port.
pub fn release(holder: Option<&Holder>) -> String {
    match holder {
        Some(holder) if holder.name == "ModemManager" => {
            "tell ModemManager to leave modules alone (`sudo qpyflash udev --install --no-modem-manager`, then \
             replug), or stop it for now (`sudo systemctl stop ModemManager`)"
                .into()
        }
        Some(holder) => format!("close {}, then run again", holder.name),
        None => "close the terminal, ModemManager or other qpyflash that holds it, then run again".into(),
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        let message = error.to_string();
        match error {
            OpenError::Missing(port) => Error::new(Kind::ModuleMissing, message)
                .at(port)
                .hint("`qpyflash list` shows the modules that are attached, with their ports"),
            OpenError::Denied { port, rights } => {
                let remedy = rights.as_ref().map_or_else(
                    || {
                        "install the udev rules (`sudo qpyflash udev --install`), or join the port's group"
                            .into()
                    },
                    Rights::remedy,
                );
                Error::new(Kind::LinkDenied, message).at(port).hint(remedy)
            }
            OpenError::Cancelled(port) => Error::new(Kind::Interrupted, message).at(port),
            OpenError::NotAPort(port) => Error::new(Kind::ModuleMissing, message)
                .at(port)
                .hint("`qpyflash list` shows the modules that are attached, with their ports"),
            OpenError::Busy { port, .. } if is_remote(&port) => Error::new(Kind::LinkBusy, message)
                .at(port)
                .hint("somebody else is connected to it: its server lets one client in at a time"),
            OpenError::Busy { port, holder } => Error::new(Kind::LinkBusy, message)
                .at(port)
                .hint(release(holder.as_ref())),
            OpenError::Unreachable { port, .. } => Error::new(Kind::LinkFailed, message)
                .at(port)
                .hint("check host and port, and that the server runs (ser2net, a device server) and lets this host in"),
            OpenError::Unfit { port, .. } => Error::new(Kind::LinkUnsupported, message)
                .at(port)
                .hint("ser2net serves a port as needed with the accepter `telnet(rfc2217),PORT`; a raw TCP port is not enough"),
            OpenError::Failed { port, .. } if is_remote(&port) => Error::new(Kind::LinkFailed, message)
                .at(port)
                .hint("look at the port on its server: is the adapter plugged in there, and is nobody else connected?"),
            OpenError::Failed { port, .. } => Error::new(Kind::LinkFailed, message)
                .at(port)
                .hint("replug the module, then run again"),
        }
    }
}

fn is_remote(port: &str) -> bool {
    matches!(RemoteAddress::in_name(port), Ok(Some(_)))
}

/// Does it have line settings, as a folder, a file and a pipe have not? Opening it must not wait: a pipe without a
/// writer and a line without a carrier would hold an ordinary open for ever.
#[cfg(unix)]
fn is_serial(port: &Path) -> std::io::Result<bool> {
    use rustix::fs::{Mode, OFlags, open};
    let at_once = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open(port, at_once, Mode::empty())?;
    Ok(rustix::termios::tcgetattr(file).is_ok())
}

#[cfg(not(unix))]
fn is_serial(port: &Path) -> std::io::Result<bool> {
    std::fs::File::open(port).map(|_| !port.is_file() && !port.is_dir())
}

/// Opens a port, trying again for `patience` while it is busy or forbidden, as freshly enumerated ports are until
/// udev and its listeners have had their look. Source: specs/usb-and-hosts.md §3.4 (20 × 250 ms) [?].
///
/// # Errors
/// [`OpenError`] of the last try.
pub fn open_patiently(
    address: &Address,
    baud: u32,
    patience: Duration,
    cancel: &Cancel,
) -> Result<Box<dyn Pipe>, OpenError> {
    let deadline = Instant::now() + patience;
    let mut first = true;
    loop {
        let opened = match address {
            Address::Tty(node) => Serial::open(node, baud).map(|serial| Box::new(serial) as Box<dyn Pipe>),
            Address::Usb(interface) => usb::open(interface, baud),
            Address::Remote(remote) => rfc2217::open(remote, baud, cancel),
        };
        match opened {
            Ok(pipe) => return Ok(pipe),
            Err(error) if error.is_final() => return Err(error),
            Err(_) if cancel.is_set() => return Err(OpenError::Cancelled(address.to_string())),
            // Linux itself waits up to 5 s for a tty that is in use elsewhere, and then calls it busy.
            Err(error) if !first && Instant::now() >= deadline => return Err(error.explained()),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
        first = false;
    }
}
