//! Serving the ports of a module: the loop that moves bytes between the host's pipes and the code behind them.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::link_model::{LinkModel, Throttle};
use crate::outbox::Outbox;
use crate::socket::Pipe;

/// The code behind one port of a module.
pub trait Talker: Send {
    /// Takes bytes from the host.
    fn hear(&mut self, bytes: &[u8], now: Instant, out: &mut Outbox);

    /// Does what is due at `now`.
    fn tick(&mut self, _now: Instant, _out: &mut Outbox) {}

    /// When [`Talker::tick`] has something to do next.
    fn next_tick(&self) -> Option<Instant> {
        None
    }

    /// Whether the port has ended the module's presence on the bus, and how.
    fn ending(&self, _now: Instant) -> Option<Ending> {
        None
    }

    /// How the port itself misbehaves.
    fn manners(&self) -> Manners {
        Manners::default()
    }

    /// Whether it hears the host only at a certain line speed, as over a UART.
    fn minds_line_speed(&self) -> bool {
        false
    }

    /// The host's line speed, told before what was sent at it.
    fn line_speed(&mut self, _baud: u32) {}
}

/// Why a module leaves the bus, or changes what it is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The owner of the module's handle has given an order.
    Ordered,
    /// Told over AT to enter download mode.
    EnterDownload,
    /// Restarts by software.
    Restart,
    /// The supply fails, and returns.
    PowerLoss,
    /// The cable is pulled.
    Vanish,
    /// The cable is pulled, and put in elsewhere.
    Move,
    /// Nobody spoke to the boot ROM in the time it waits.
    WindowClosed,
}

/// How a port misbehaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manners {
    /// Takes no more bytes, so that the host's writes block.
    pub deaf: bool,
    /// Gives the host one byte at a time.
    pub dripping: bool,
}

/// Time between two bytes of a dripping port; the next one leaves only when the host has read the one before.
const DRIP: Duration = Duration::from_micros(200);
/// A thread that sleeps wakes this much late, or less, on an idle machine. It stops sleeping so long before an answer
/// is due, or the last byte has passed the line, and looks at the clock instead.
const WAKES_LATE: Duration = Duration::from_micros(150);
/// Most reads from one port before the others have their turn.
const READS_PER_TURN: usize = 32;

/// One port in service.
pub(crate) struct Port {
    pipe: Box<dyn Pipe>,
    talker: Box<dyn Talker>,
    out: Outbox,
    throttle: Throttle,
    /// What is on the line, and when it will have passed.
    passing: VecDeque<(Instant, Vec<u8>)>,
    passing_bytes: usize,
    next_drip: Option<Instant>,
}

impl Port {
    pub fn new(pipe: Box<dyn Pipe>, talker: Box<dyn Talker>, link: LinkModel) -> Self {
        Port {
            pipe,
            talker,
            out: Outbox::new(link.turn_round),
            throttle: Throttle::new(link),
            passing: VecDeque::new(),
            passing_bytes: 0,
            next_drip: None,
        }
    }

    /// Does everything that can be done at `now`.
    fn work(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<Option<Ending>> {
        while self.passing.front().is_some_and(|(passed, _)| *passed <= now) {
            let Some((passed, bytes)) = self.passing.pop_front() else {
                break;
            };
            self.passing_bytes -= bytes.len();
            // Heard when they had passed, however late this thread has woken: the turn-round time counts from there.
            self.talker.hear(&bytes, passed, &mut self.out);
        }
        self.read(buffer)?;
        let now = Instant::now();
        self.talker.tick(now, &mut self.out);
        self.write(now)?;
        Ok(self.talker.ending(now))
    }

    /// Reads what has arrived and hands it on, at once or when it has passed the line. Reads before it waits:
    /// when nothing is there and nothing on the line, the line is really idle.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        for _ in 0..READS_PER_TURN {
            if !self.wants_to_read() {
                break;
            }
            let quota = self.throttle.quota().min(buffer.len());
            let count = self.pipe.read(&mut buffer[..quota])?;
            if count == 0 {
                if self.passing.is_empty() {
                    self.throttle.idle();
                }
                break;
            }
            // A frame takes many reads: what it says last is answered when it was read, not when the first byte was.
            let now = Instant::now();
            if self.talker.minds_line_speed() {
                self.talker.line_speed(self.pipe.line_speed()?);
            }
            match self.throttle.passes_at(count, now) {
                None => self.talker.hear(&buffer[..count], now, &mut self.out),
                Some(passed) => {
                    self.passing.push_back((passed, buffer[..count].to_vec()));
                    self.passing_bytes += count;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, now: Instant) -> io::Result<()> {
        let ready = self.out.ready(now);
        let sent = match self.talker.manners().dripping {
            _ if ready.is_empty() => 0,
            false => self.pipe.write(ready)?,
            true if self.next_drip.is_some_and(|next| now < next) => 0,
            true => {
                self.next_drip = Some(now + DRIP);
                if self.pipe.is_read_empty() {
                    self.pipe.write(&ready[..1])?
                } else {
                    0
                }
            }
        };
        self.out.sent(sent);
        Ok(())
    }

    fn wants_to_read(&self) -> bool {
        self.passing_bytes < self.throttle.ahead() && !self.talker.manners().deaf
    }

    fn interest(&self) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.wants_to_read());
        flags.set(
            PollFlags::OUT,
            self.out.is_blocked() && !self.talker.manners().dripping,
        );
        flags
    }

    /// When to stop sleeping.
    fn next_wake(&self) -> Option<Instant> {
        let passed = self.passing.front().map(|(passed, _)| *passed);
        let exact = |at: Instant| at.checked_sub(WAKES_LATE).unwrap_or(at);
        let passed = passed.map(|at| if self.passing.len() == 1 { exact(at) } else { at });
        let drip = self.next_drip.filter(|_| self.out.is_blocked());
        [
            passed,
            drip,
            self.out.next_due().map(exact),
            self.talker.next_tick(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// Serves the ports until one of them ends the module's presence, or `order` becomes readable.
pub(crate) fn serve(ports: &mut [Port], order: &impl AsFd) -> io::Result<Ending> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let now = Instant::now();
        for port in ports.iter_mut() {
            if let Some(ending) = port.work(now, &mut buffer)? {
                return Ok(ending);
            }
        }
        let wake = ports.iter().filter_map(Port::next_wake).min();
        let timeout = wake.map(|wake| timespec(wake.saturating_duration_since(Instant::now())));
        let mut events = vec![PollFd::new(order, PollFlags::IN)];
        events.extend(ports.iter().map(|port| PollFd::new(&port.pipe, port.interest())));
        match poll(&mut events, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if events[0].revents().contains(PollFlags::IN) {
            return Ok(Ending::Ordered);
        }
    }
}

pub(crate) fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: time.as_secs().cast_signed(),
        tv_nsec: time.subsec_nanos().into(),
    }
}
