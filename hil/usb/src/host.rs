//! Serving one device to one host controller: bytes of a protocol become transfers, completions become bytes.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::device::{Completion, Device, Transfer};
use crate::port::Fifo;

/// How a host controller and a device talk.
pub trait Protocol {
    /// The next whole command in `incoming`; none when there is none yet. What needs no device is answered in `out`.
    ///
    /// # Errors
    /// What makes no sense: the connection is given up.
    fn next(&mut self, incoming: &mut Incoming, out: &mut Vec<u8>) -> io::Result<Option<Command>>;

    /// Reports what became of a transfer.
    fn completed(&mut self, completion: &Completion, out: &mut Vec<u8>);

    /// Reports what became of [`Command::Cancel`].
    fn cancelled(&mut self, id: u64, was_pending: bool, out: &mut Vec<u8>);
}

/// What a host controller wants.
#[derive(Debug)]
pub enum Command {
    Submit(Transfer),
    /// Take back the transfer `victim`; `id` names this command.
    Cancel {
        id: u64,
        victim: u64,
    },
    /// Reset the bus.
    Reset,
    /// The device may leave now.
    MayLeave,
}

/// Bytes from a host controller that make no whole message yet.
#[derive(Debug, Default)]
pub struct Incoming {
    bytes: Vec<u8>,
    start: usize,
}

impl Incoming {
    /// The next `count` bytes, once there are so many.
    pub fn peek(&self, count: usize) -> Option<&[u8]> {
        self.bytes.get(self.start..self.start + count)
    }

    /// Forgets the next `count` bytes.
    pub fn skip(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
    }

    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend(bytes);
    }
}

/// The connection to a host controller.
#[derive(Debug)]
pub struct Link<P> {
    stream: UnixStream,
    pub protocol: P,
    incoming: Incoming,
    pub out: Vec<u8>,
    buffer: Vec<u8>,
}

/// Why serving has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// `stop` became readable.
    Stopped,
    /// The host controller has closed the connection, or lets the device go.
    Released,
}

impl<P: Protocol> Link<P> {
    /// # Errors
    /// The operating system's.
    pub fn new(stream: UnixStream, protocol: P) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Link {
            stream,
            protocol,
            incoming: Incoming::default(),
            out: Vec::new(),
            buffer: vec![0; 256 * 1024],
        })
    }

    /// Serves `device` until `stop` becomes readable or the host controller is gone.
    ///
    /// # Errors
    /// The operating system's, and what the protocol cannot make sense of.
    pub fn serve<F: Fifo + AsFd>(&mut self, device: &mut Device<F>, stop: &impl AsFd) -> io::Result<Served> {
        loop {
            let is_open = self.receive()?;
            let may_leave = self.obey(device)?;
            self.work(device)?;
            if !is_open || may_leave {
                return Ok(Served::Released);
            }
            if self.wait(device, stop)? {
                // The last words of a module that leaves.
                self.work(device)?;
                return Ok(Served::Stopped);
            }
        }
    }

    /// Sends and receives once, with a device that is not there any more; whether it may leave. Waits at most a moment.
    ///
    /// # Errors
    /// Those of [`Link::serve`], and that the host controller has closed the connection.
    pub fn take_leave<F: Fifo>(&mut self, device: &mut Device<F>) -> io::Result<bool> {
        self.send()?;
        self.wait_briefly()?;
        if !self.receive()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let may_leave = self.obey(device)?;
        device.take_done();
        Ok(may_leave)
    }

    /// Sends and receives once before there is a device. Waits at most a moment.
    ///
    /// # Errors
    /// Those of [`Link::serve`], and that the host controller has closed the connection.
    pub fn greet(&mut self) -> io::Result<()> {
        self.send()?;
        self.wait_briefly()?;
        if !self.receive()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.protocol.next(&mut self.incoming, &mut self.out).map(drop)
    }

    fn wait_briefly(&self) -> io::Result<()> {
        let moment = Timespec {
            tv_sec: 0,
            tv_nsec: 50_000_000,
        };
        match poll(&mut [PollFd::new(&self.stream, PollFlags::IN)], Some(&moment)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves bytes between the device and its module, and reports what that completes.
    fn work<F: Fifo>(&mut self, device: &mut Device<F>) -> io::Result<()> {
        device.pump()?;
        self.report(device);
        self.send()
    }

    fn report<F: Fifo>(&mut self, device: &mut Device<F>) {
        for completion in device.take_done() {
            self.protocol.completed(&completion, &mut self.out);
        }
    }

    /// Writes what can be written now.
    ///
    /// # Errors
    /// The operating system's.
    pub fn send(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.out.clear(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what has arrived; false when the other side has closed.
    fn receive(&mut self) -> io::Result<bool> {
        loop {
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => self.incoming.extend(&self.buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    fn obey<F: Fifo>(&mut self, device: &mut Device<F>) -> io::Result<bool> {
        let mut may_leave = false;
        while let Some(command) = self.protocol.next(&mut self.incoming, &mut self.out)? {
            match command {
                Command::Submit(transfer) => device.submit(transfer),
                Command::Cancel { id, victim } => {
                    // Completions come before the answer to a cancellation that was too late for them.
                    device.pump()?;
                    self.report(device);
                    let was_pending = device.cancel(victim);
                    self.report(device);
                    self.protocol.cancelled(id, was_pending, &mut self.out);
                }
                Command::Reset => device.reset(),
                Command::MayLeave => may_leave = true,
            }
        }
        Ok(may_leave)
    }

    /// Sleeps until there is something to do; true when `stop` is readable.
    fn wait<F: Fifo + AsFd>(&self, device: &Device<F>, stop: &impl AsFd) -> io::Result<bool> {
        let mut link = PollFlags::IN;
        link.set(PollFlags::OUT, !self.out.is_empty());
        let mut events = vec![PollFd::new(stop, PollFlags::IN), PollFd::new(&self.stream, link)];
        for (fifo, takes, gives) in device.wants() {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, takes);
            flags.set(PollFlags::OUT, gives);
            if !flags.is_empty() {
                events.push(PollFd::new(fifo, flags));
            }
        }
        match poll(&mut events, None) {
            Ok(_) | Err(Errno::INTR) => Ok(events[0].revents().contains(PollFlags::IN)),
            Err(error) => Err(error.into()),
        }
    }
}
