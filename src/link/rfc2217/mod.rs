//! Serial ports on the network: a client of RFC 2217, Telnet with the COM-PORT-OPTION, as ser2net, labgrid and device
//! servers speak it.
//!
//! ```text
//! rfc2217://host:port                                                address.rs
//! bytes of the connection ⇄ data and commands, without a socket      telnet.rs, options.rs, com_port.rs
//! the dialogue with the server, without a socket                     client.rs
//! the connection: bounded waits, and a close that loses nothing      here
//! ```
//!
//! It must never wait for a server longer than it was asked to, and never take a setting for granted that the server
//! has not confirmed: a byte that a port with other settings has changed may be a byte in a module's flash.

mod address;
mod client;
mod com_port;
mod options;
mod telnet;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use qpyflash_protocols::WireError;

pub use self::address::{NotARemoteAddress, RemoteAddress};
pub use self::client::{Client, Unfit};
pub use self::com_port::Setting;
use super::{Cancel, OpenError, Pipe};

/// How long finding the host and connecting to it may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long a server may take to agree and to confirm all settings, and later a new line speed. Several round trips to
/// the other side of the world fit in.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection that is closed is given to get the last bytes through, and as long again to be closed from
/// the other side: a server that has not closed takes no new one.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// Longest single wait, so that a wish to stop is seen soon.
const SLICE: Duration = Duration::from_millis(50);
/// How soon room to send is looked for again where there was none.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How soon a connection on which nobody answers any more is given up: probes after so long, so far apart, so many.
const PROBES: (Duration, Duration, u32) = (Duration::from_secs(5), Duration::from_secs(2), 3);

/// An open port on the network.
pub struct Remote {
    stream: TcpStream,
    client: Client,
    name: String,
    /// Why the connection is no more.
    lost: Option<String>,
}

/// Connects to the server and makes its port what a module needs.
///
/// # Errors
/// [`OpenError`] tells a host that nobody answers on from a port that somebody else uses and a server of something
/// else.
pub(super) fn open(address: &RemoteAddress, baud: u32, cancel: &Cancel) -> Result<Box<dyn Pipe>, OpenError> {
    let name = address.to_string();
    let stream = connect(address, cancel)?;
    let mut remote = Remote {
        stream,
        client: Client::new(baud),
        name,
        lost: None,
    };
    remote.agree(cancel)?;
    Ok(Box::new(remote))
}

/// Neither a name nor an address can be waited for in slices, so a thread waits for them.
fn connect(address: &RemoteAddress, cancel: &Cancel) -> Result<TcpStream, OpenError> {
    let unreachable = |why: String| OpenError::Unreachable {
        port: address.to_string(),
        why,
    };
    let (sender, connected) = channel();
    let target = address.clone();
    std::thread::spawn(move || sender.send(try_all(&target)));
    let deadline = Instant::now() + CONNECT_WITHIN;
    loop {
        match connected.recv_timeout(SLICE) {
            Ok(Ok(stream)) => return prepared(stream).map_err(|why| unreachable(why.to_string())),
            Ok(Err(why)) => return Err(unreachable(why.to_string())),
            Err(RecvTimeoutError::Timeout) if cancel.is_set() => {
                return Err(OpenError::Cancelled(address.to_string()));
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            Err(_) => {
                let limit = CONNECT_WITHIN.as_secs();
                return Err(unreachable(format!("no answer within {limit} s")));
            }
        }
    }
}

/// Every address of the host in turn; the last one's error.
fn try_all(address: &RemoteAddress) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(ErrorKind::NotFound, "the host has no address");
    for candidate in (address.host.as_str(), address.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, CONNECT_WITHIN) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A frame must not wait for the next one, and a peer that has lost its power must be noticed.
fn prepared(stream: TcpStream) -> std::io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let (after, apart, count) = PROBES;
    let probes = socket2::TcpKeepalive::new()
        .with_time(after)
        .with_interval(apart)
        .with_retries(count);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&probes)?;
    Ok(stream)
}

impl Remote {
    /// Talks until the port is ready, or cannot be.
    fn agree(&mut self, cancel: &Cancel) -> Result<(), OpenError> {
        let deadline = Instant::now() + ANSWER_WITHIN;
        while !self.client.is_ready() {
            let port = self.name.clone();
            if let Some(unfit) = self.client.unfit() {
                let why = unfit.to_string();
                return Err(OpenError::Unfit { port, why });
            }
            if self.lost.is_some() {
                return Err(self.turned_away());
            }
            if cancel.is_set() {
                return Err(OpenError::Cancelled(port));
            }
            if Instant::now() >= deadline {
                return Err(self.has_not_answered());
            }
            let worked = self.flush().and_then(|_| self.hear(SLICE));
            worked.map_err(|error| OpenError::Failed {
                port,
                why: error.to_string(),
            })?;
        }
        Ok(())
    }

    /// The server has closed the connection before the port was ready. Servers say why in text, or not at all.
    fn turned_away(&self) -> OpenError {
        let port = self.name.clone();
        let said = self.client.greeting();
        let lower = said.to_lowercase();
        match said.is_empty() {
            _ if lower.contains("in use") || lower.contains("busy") => OpenError::Busy { port, holder: None },
            false if self.client.speaks_telnet() => OpenError::Failed {
                port,
                why: format!("the server says `{said}`"),
            },
            false => OpenError::Unfit {
                port,
                why: format!("it is no RFC 2217 server: it says `{said}`"),
            },
            true => OpenError::Failed {
                port,
                why: "the server closes the connection at once".into(),
            },
        }
    }

    /// The server is there and leaves a question open.
    fn has_not_answered(&self) -> OpenError {
        let limit = ANSWER_WITHIN.as_secs();
        let said = self.client.greeting();
        let why = match (self.client.speaks_telnet(), said.is_empty()) {
            (true, _) => format!("it has not answered {} within {limit} s", self.client.missing()),
            (false, true) => format!("it takes the connection and says nothing for {limit} s"),
            (false, false) => format!("it is no RFC 2217 server: it says `{said}`"),
        };
        OpenError::Unfit {
            port: self.name.clone(),
            why,
        }
    }

    /// Sends what is to be sent, as far as there is room for it.
    fn flush(&mut self) -> Result<(), WireError> {
        if self.client.outgoing().is_empty() || self.lost.is_some() {
            return Ok(());
        }
        self.stream.set_nonblocking(true).map_err(failed)?;
        let result = loop {
            let outgoing = self.client.outgoing();
            if outgoing.is_empty() {
                break Ok(());
            }
            match self.stream.write(outgoing) {
                Ok(count) => self.client.sent(count),
                Err(error) => break self.sort(&error),
            }
        };
        self.stream.set_nonblocking(false).map_err(failed)?;
        result
    }

    /// Takes in what comes, waiting up to `within` for the first byte.
    fn hear(&mut self, within: Duration) -> Result<(), WireError> {
        if self.lost.is_some() {
            return Ok(());
        }
        let at_once = within.is_zero();
        match at_once {
            true => self.stream.set_nonblocking(true),
            false => self.stream.set_read_timeout(Some(within)),
        }
        .map_err(failed)?;
        let mut chunk = [0; 16 * 1024];
        let result = match self.stream.read(&mut chunk) {
            Ok(0) => {
                self.lost = Some("the server has closed the connection".into());
                Ok(())
            }
            Ok(count) => {
                self.acknowledge_at_once();
                self.client.hear(&chunk[..count]);
                Ok(())
            }
            Err(error) => self.sort(&error),
        };
        if at_once {
            self.stream.set_nonblocking(false).map_err(failed)?;
        }
        result
    }

    /// A server that does not send its next few bytes before the last ones are acknowledged (RFC 896) would wait for
    /// this host's pause before an acknowledgement, 40 ms for each answer of a module. Linux forgets the wish.
    fn acknowledge_at_once(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = socket2::SockRef::from(&self.stream).set_tcp_quickack(true);
    }

    /// An error that means that nothing can be had now is none.
    fn sort(&mut self, error: &std::io::Error) -> Result<(), WireError> {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
            // So Windows calls a read that was not served in time; elsewhere it is a peer that has not answered.
            ErrorKind::TimedOut if cfg!(windows) => Ok(()),
            ErrorKind::TimedOut => {
                self.lost = Some("the host of the server does not answer any more".into());
                Ok(())
            }
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::UnexpectedEof => {
                self.lost = Some(format!("the connection to the server is lost: {error}"));
                Ok(())
            }
            _ => Err(failed(error)),
        }
    }

    /// Does what there is to do for the connection until `is_done`, or the time is up.
    fn work_until(&mut self, within: Duration, is_done: impl Fn(&Self) -> bool) -> Result<bool, WireError> {
        let deadline = Instant::now() + within;
        loop {
            self.flush()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if is_done(self) || self.lost.is_some() || left.is_zero() {
                return Ok(is_done(self));
            }
            self.hear_or_look_again(left)?;
        }
    }

    /// Takes in what comes; while there is no room to send, only for a moment, so that the room is looked at again.
    fn hear_or_look_again(&mut self, within: Duration) -> Result<(), WireError> {
        self.hear(match self.client.outgoing().is_empty() {
            true => within,
            false => within.min(LOOK_AGAIN),
        })
    }

    fn gone(&self) -> Result<(), WireError> {
        self.lost.as_ref().map_or(Ok(()), |_| Err(WireError::Gone))
    }
}

impl Pipe for Remote {
    fn write(&mut self, bytes: &[u8], within: Duration) -> Result<usize, WireError> {
        let deadline = Instant::now() + within;
        loop {
            self.flush()?;
            self.gone()?;
            let taken = self.client.send(bytes);
            if taken > 0 {
                self.flush()?;
                return Ok(taken);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(0);
            }
            self.hear_or_look_again(left)?;
        }
    }

    fn read(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        let deadline = Instant::now() + within;
        self.hear(Duration::ZERO)?;
        loop {
            let count = self.client.take(into);
            if count > 0 {
                return Ok(count);
            }
            self.gone()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(0);
            }
            self.flush()?;
            self.hear_or_look_again(left)?;
        }
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.client.set_baud(baud);
        let settled = self.work_until(ANSWER_WITHIN, |it| it.client.is_settled())?;
        self.gone()?;
        match self.client.unfit() {
            Some(unfit) => Err(WireError::Failed(format!("`{}`: {unfit}", self.name))),
            None if settled => Ok(()),
            None => Err(WireError::Failed(format!(
                "`{}`: it has not confirmed {baud} baud within {} s",
                self.name,
                ANSWER_WITHIN.as_secs()
            ))),
        }
    }

    /// A connection that is closed with bytes unread may take those on their way with it, so the server must have
    /// taken all of them first, and have closed its side, too.
    fn close(&mut self) -> Vec<String> {
        if self.client.has_unmarked() {
            self.client.mark();
        }
        let taken = self.work_until(CLOSE_WITHIN, |it| it.client.is_settled());
        let mut end = self.lost.take();
        if end.is_none() && matches!(taken, Ok(false)) {
            end = Some("the server has not taken the last bytes".into());
        }
        if end.is_none() && self.stream.shutdown(Shutdown::Write).is_ok() {
            let _ = self.work_until(CLOSE_WITHIN, |it| it.lost.is_some());
        }
        let notes = self.client.note().into_iter().chain(end);
        notes.map(|note| format!("{}: {note}", self.name)).collect()
    }
}

fn failed(error: impl std::fmt::Display) -> WireError {
    WireError::Failed(error.to_string())
}
