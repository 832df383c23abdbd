//! An RFC 2217 server in front of a port, written from the RFC for these tests alone, with the manners of bad ones.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As the RFC says.
    Honest,
    /// Its answers come byte by byte.
    Drips,
    /// Says SUSPEND and RESUME around each read of the connection.
    Suspends,
    /// WONT and DONT to everything.
    RefusesAll,
    /// Agrees to the serial port and not to binary transmission.
    RefusesBinary,
    /// Knows no line speed but 115200.
    KeepsItsSpeed,
    /// Says nothing, ever.
    Mute,
    /// Closes the connection when so many bytes have reached the module on it.
    HangsUpAfter(usize),
    /// Takes no more bytes when so many have reached the module, and keeps the connection.
    StopsAfter(usize),
}

/// What a server has been asked for.
#[derive(Debug, Default)]
pub struct Seen {
    pub clients: usize,
    pub speeds: Vec<u32>,
    pub settings: Vec<(u8, u8)>,
    pub purges: usize,
}

/// A server at work, until it is dropped.
pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
    stop: Option<std::io::PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the port at `node` on a free port of `host`.
    pub fn start(host: &str, node: &Path, manner: Manner) -> Server {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let (stopped, stop) = std::io::pipe().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let port = listener.local_addr().unwrap().port();
        let work = Work {
            node: node.to_owned(),
            manner,
            seen: Arc::clone(&seen),
            stopped,
        };
        Server {
            port,
            seen,
            stop: Some(stop),
            thread: Some(std::thread::spawn(move || work.serve(&listener))),
        }
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// What `--port` is told.
    pub fn url(&self) -> String {
        format!("rfc2217://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    node: PathBuf,
    manner: Manner,
    seen: Arc<Mutex<Seen>>,
    stopped: std::io::PipeReader,
}

impl Work {
    /// One client after the other.
    fn serve(&self, listener: &TcpListener) {
        loop {
            let mut wanted = [
                PollFd::new(&self.stopped, PollFlags::IN),
                PollFd::new(listener, PollFlags::IN),
            ];
            poll(&mut wanted, None).unwrap();
            if !wanted[0].revents().is_empty() {
                return;
            }
            let (client, _) = listener.accept().unwrap();
            client.set_nodelay(true).unwrap();
            self.seen.lock().unwrap().clients += 1;
            let tty = File::options()
                .read(true)
                .write(true)
                .open(&self.node)
                .and_then(|tty| {
                    rustix::fs::fcntl_setfl(&tty, OFlags::NONBLOCK)?;
                    Ok(tty)
                });
            match tty {
                Ok(tty) => Connection::new(self, client, tty).run(listener),
                Err(why) => drop((&client).write_all(format!("Device open failure: {why}\r\n").as_bytes())),
            }
        }
    }
}

/// Where in Telnet's grammar the client is.
#[derive(Clone, Copy)]
enum Place {
    Data,
    Command,
    Option(u8),
    Inside,
    CommandInside,
}

struct Connection<'w> {
    work: &'w Work,
    client: TcpStream,
    tty: File,
    place: Place,
    inside: Vec<u8>,
    to_module: Vec<u8>,
    passed: usize,
}

impl<'w> Connection<'w> {
    fn new(work: &'w Work, client: TcpStream, tty: File) -> Self {
        Connection {
            work,
            client,
            tty,
            place: Place::Data,
            inside: Vec::new(),
            to_module: Vec::new(),
            passed: 0,
        }
    }

    fn run(&mut self, listener: &TcpListener) {
        while self.turn(listener).is_ok() {}
    }

    /// Waits for something to do and does it; an error ends the connection.
    fn turn(&mut self, listener: &TcpListener) -> std::io::Result<()> {
        let manner = self.work.manner;
        let stuck = matches!(manner, Manner::StopsAfter(limit) if self.passed >= limit);
        let mut from_client = PollFlags::empty();
        from_client.set(PollFlags::IN, self.to_module.is_empty() && !stuck);
        let mut of_tty = PollFlags::IN;
        of_tty.set(PollFlags::OUT, !self.to_module.is_empty());
        let ready = {
            let mut wanted = [
                PollFd::new(&self.work.stopped, PollFlags::IN),
                PollFd::new(listener, PollFlags::IN),
                PollFd::from_borrowed_fd(self.client.as_fd(), from_client),
                PollFd::from_borrowed_fd(self.tty.as_fd(), of_tty),
            ];
            // Linux's poll does not tell of room that came while it was not asked for.
            let patience = Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            };
            poll(&mut wanted, Some(&patience))?;
            wanted.map(|one| one.revents())
        };
        if !ready[0].is_empty() {
            return Err(ErrorKind::Interrupted.into());
        }
        if !ready[1].is_empty() {
            let (mut second, _) = listener.accept()?;
            let _ = second.write_all(b"Port already in use\r\n");
        }
        if ready[2].intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.hear_client()?;
        }
        if ready[3].contains(PollFlags::IN) {
            self.hear_module()?;
        }
        if ready[3].contains(PollFlags::HUP) {
            return Err(ErrorKind::NotConnected.into());
        }
        self.tell_module()
    }

    fn hear_client(&mut self) -> std::io::Result<()> {
        let mut chunk = [0; 1024];
        let count = self.client.read(&mut chunk)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if self.work.manner == Manner::Mute {
            return Ok(());
        }
        if self.work.manner == Manner::Suspends {
            self.say(&[255, 250, 44, 108, 255, 240])?;
        }
        for byte in &chunk[..count] {
            self.step(*byte)?;
        }
        if self.work.manner == Manner::Suspends {
            self.say(&[255, 250, 44, 109, 255, 240])?;
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) -> std::io::Result<()> {
        self.place = match (self.place, byte) {
            (Place::Data, 255) => Place::Command,
            (Place::Data, byte) => {
                self.to_module.push(byte);
                Place::Data
            }
            (Place::Command, 255) => {
                self.to_module.push(255);
                Place::Data
            }
            (Place::Command, 250) => {
                self.inside.clear();
                Place::Inside
            }
            (Place::Command, 251..=254) => Place::Option(byte),
            (Place::Command, _) => Place::Data,
            (Place::Option(verb), option) => {
                self.negotiate(verb, option)?;
                Place::Data
            }
            (Place::Inside, 255) => Place::CommandInside,
            (Place::Inside, byte) => {
                self.inside.push(byte);
                Place::Inside
            }
            (Place::CommandInside, 255) => {
                self.inside.push(255);
                Place::Inside
            }
            (Place::CommandInside, _) => {
                let inside = std::mem::take(&mut self.inside);
                self.obey(&inside)?;
                Place::Data
            }
        };
        Ok(())
    }

    fn negotiate(&mut self, verb: u8, option: u8) -> std::io::Result<()> {
        let known = match self.work.manner {
            Manner::RefusesAll => false,
            Manner::RefusesBinary => [3, 44].contains(&option),
            _ => [0, 3, 44].contains(&option),
        };
        let answer = match (verb, known) {
            (251, true) => 253,
            (251, false) => 254,
            (253, true) => 251,
            (253, false) => 252,
            _ => return Ok(()),
        };
        self.say(&[255, answer, option])
    }

    fn obey(&mut self, inside: &[u8]) -> std::io::Result<()> {
        let mut answer = vec![255, 250, 44];
        match *inside {
            [44, 1, a, b, c, d] => {
                let asked = u32::from_be_bytes([a, b, c, d]);
                let mut line = tcgetattr(&self.tty)?;
                if asked > 0 {
                    self.work.seen.lock().unwrap().speeds.push(asked);
                }
                if asked > 0 && self.work.manner != Manner::KeepsItsSpeed {
                    line.set_speed(asked)?;
                    tcsetattr(&self.tty, OptionalActions::Now, &line)?;
                }
                let speed = match self.work.manner {
                    Manner::KeepsItsSpeed => 115_200,
                    _ => line.output_speed(),
                };
                answer.push(101);
                for byte in speed.to_be_bytes() {
                    answer.extend(std::iter::repeat_n(byte, 1 + usize::from(byte == 255)));
                }
            }
            [44, 12, value] => {
                self.work.seen.lock().unwrap().purges += 1;
                answer.extend([112, value]);
            }
            [44, command, value] => {
                self.work.seen.lock().unwrap().settings.push((command, value));
                answer.extend([command + 100, value]);
            }
            _ => return Ok(()),
        }
        answer.extend([255, 240]);
        self.say(&answer)
    }

    fn say(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.work.manner == Manner::Drips {
            return bytes.iter().try_for_each(|byte| self.client.write_all(&[*byte]));
        }
        self.client.write_all(bytes)
    }

    fn hear_module(&mut self) -> std::io::Result<()> {
        let mut chunk = [0; 1024];
        let count = self.tty.read(&mut chunk)?;
        if count == 0 {
            return Err(ErrorKind::NotConnected.into());
        }
        let mut doubled = Vec::new();
        for byte in &chunk[..count] {
            doubled.extend(std::iter::repeat_n(*byte, 1 + usize::from(*byte == 255)));
        }
        self.say(&doubled)
    }

    fn tell_module(&mut self) -> std::io::Result<()> {
        if self.to_module.is_empty() {
            return Ok(());
        }
        match self.tty.write(&self.to_module) {
            Ok(count) => {
                self.to_module.drain(..count);
                self.passed += count;
            }
            Err(why) if why.kind() == ErrorKind::WouldBlock => {}
            Err(why) => return Err(why),
        }
        match self.work.manner {
            Manner::HangsUpAfter(limit) if self.passed >= limit => Err(ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }
}
