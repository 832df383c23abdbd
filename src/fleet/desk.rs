//! Where labels arrive while a station is at work, line by line, and wait for their module.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::watch;

use super::config::{Config, Slot};
use super::label::{Label, Scan, Scanned, Scans};
use super::voice::Voice;
use crate::error::{Error, Kind};
use crate::event::EventKind;
use crate::link::{Address, Cancel, Pipe, open_patiently};

/// Time between two tries to open a scanner that is not there.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// Longest wait for a scanner without a look at whether the program is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// More bytes without a line end are no label. A label of all fields has fewer than a hundred.
const LONGEST_LINE: usize = 512;

/// Line speed of a scanner, unless told: what those with a serial line are mostly set to when they are new. [?]
const BAUD: u32 = 9600;

/// The scanner of a station.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scanner {
    /// Its serial port.
    pub port: PathBuf,
    /// Its line speed; without meaning over USB.
    pub baud: Option<u32>,
}

/// Where labels come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Lines on stdin.
    Stdin,
    /// A scanner on a serial port.
    Scanner {
        /// Its port.
        port: PathBuf,
        /// Its line speed.
        baud: u32,
    },
}

impl Source {
    /// The scanner on `port`, or the one of the station's file, if there is any.
    pub fn scanner(port: Option<&Path>, config: &Config) -> Option<Self> {
        let own = config.scanner.as_ref();
        let port = port.or(own.map(|scanner| scanner.port.as_path()))?;
        Some(Source::Scanner {
            port: port.to_path_buf(),
            baud: own.and_then(|scanner| scanner.baud).unwrap_or(BAUD),
        })
    }
}

/// The labels, and those who should hear of them.
pub(super) struct Desk {
    scans: watch::Sender<Scans>,
    slots: Vec<Slot>,
    voices: Mutex<HashMap<String, Voice>>,
    station: Voice,
}

impl Desk {
    /// A desk for these slots, with the labels that are there already.
    pub fn new(slots: &[Slot], scans: Scans, station: Voice) -> Self {
        Desk {
            scans: watch::Sender::new(scans),
            slots: slots.to_vec(),
            voices: Mutex::default(),
            station,
        }
    }

    /// Whom to tell of the labels of one slot.
    pub fn introduce(&self, voice: Voice) {
        self.voices().extend(voice.slot().map(|slot| (slot, voice)));
    }

    fn voices(&self) -> MutexGuard<'_, HashMap<String, Voice>> {
        self.voices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every change of the labels from here on.
    pub fn wait(&self) -> watch::Receiver<Scans> {
        self.scans.subscribe()
    }

    /// The label for the slot's next module, which is used up with it.
    pub fn take(&self, slot: &str) -> Scan {
        let mut taken = None;
        self.scans.send_if_modified(|scans| {
            taken = Some(scans.take(slot));
            false
        });
        taken.unwrap_or_default()
    }

    /// One line, as it was scanned. What is wrong with it is told, and nothing is written because of it.
    fn line(&self, line: &str) {
        let mut scanned = Scanned::Nothing;
        self.scans
            .send_modify(|scans| scanned = scans.scan(&self.slots, line));
        match scanned {
            Scanned::Nothing => {}
            Scanned::NoSlot(name) => self.warn(format!(
                "a label is not taken: `{name}` is no slot that takes part; a line is `slot OC [IMEI [SN]]`"
            )),
            Scanned::For(slots) => slots.into_iter().for_each(|(slot, label)| {
                let kind = match label {
                    Ok(label) => EventKind::Note { text: words(&label) },
                    Err(why) => EventKind::Warning {
                        text: format!("the label is not taken: {why}; scan it again"),
                    },
                };
                self.voices().get(&slot).unwrap_or(&self.station).say(kind);
            }),
        }
    }

    fn say(&self, text: String) {
        self.station.say(EventKind::Note { text });
    }

    fn warn(&self, text: String) {
        self.station.say(EventKind::Warning { text });
    }
}

fn words(label: &Label) -> String {
    let mut text = format!("label: {}", label.ordering_code);
    for more in [&label.imei, &label.serial_number].into_iter().flatten() {
        text = format!("{text} {more}");
    }
    text
}

/// Takes labels from `source` on a thread of its own, until `stop` is set.
///
/// # Errors
/// [`Kind::Internal`] when there is no thread to be had.
pub(super) fn serve(desk: Arc<Desk>, source: Source, stop: Cancel) -> Result<(), Error> {
    let work = move || match source {
        Source::Stdin => listen_to_stdin(&desk),
        Source::Scanner { port, baud } => listen_to_scanner(&desk, &port, baud, &stop),
    };
    // Nobody waits for it: a read of stdin cannot be interrupted.
    std::thread::Builder::new()
        .name("labels".into())
        .spawn(work)
        .map(drop)
        .map_err(|why| Error::new(Kind::Internal, format!("cannot start a thread: {why}")))
}

fn listen_to_stdin(desk: &Desk) {
    let (mut lines, mut chunk) = (Lines::default(), [0; 256]);
    loop {
        match std::io::stdin().lock().read(&mut chunk) {
            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(count) if count > 0 => lines.push(&chunk[..count], desk),
            ended => {
                // The last line need not have an end.
                lines.push(b"\n", desk);
                let why = ended.err().map_or("it has ended".into(), |why| why.to_string());
                return desk.warn(format!("no more labels come from stdin: {why}"));
            }
        }
    }
}

fn listen_to_scanner(desk: &Desk, port: &Path, baud: u32, stop: &Cancel) {
    let address = Address::Tty(port.to_path_buf());
    let mut missed = false;
    while !stop.is_set() {
        let why = match open_patiently(&address, baud, Duration::ZERO, stop) {
            Ok(mut pipe) => {
                if std::mem::take(&mut missed) {
                    desk.say(format!("the scanner on `{}` is there again", port.display()));
                }
                listen(desk, &mut *pipe, stop)
            }
            Err(why) => why.to_string(),
        };
        if !stop.is_set() && !std::mem::replace(&mut missed, true) {
            desk.warn(format!(
                "the scanner on `{}` is not there: {why}; labels are missing until it is, and it is tried again",
                port.display()
            ));
        }
        let until = Instant::now() + TRY_EVERY;
        while !stop.is_set() && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Listens until the scanner goes, and says why it did.
fn listen(desk: &Desk, pipe: &mut dyn Pipe, stop: &Cancel) -> String {
    let (mut lines, mut chunk) = (Lines::default(), [0; 256]);
    while !stop.is_set() {
        match pipe.read(&mut chunk, LOOK_EVERY) {
            Ok(count) => lines.push(&chunk[..count], desk),
            Err(why) => return why.to_string(),
        }
    }
    String::new()
}

/// Bytes become lines, however they come; a line ends with CR, LF or both.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    fn push(&mut self, bytes: &[u8], desk: &Desk) {
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    match (std::mem::take(&mut self.is_too_long), std::str::from_utf8(&line)) {
                        (false, Ok(line)) if !line.contains(|c: char| c.is_control() && c != '\t') => {
                            desk.line(line);
                        }
                        _ => desk.warn("a label is not taken: it cannot be read; scan it again".into()),
                    }
                }
                _ if self.line.len() >= LONGEST_LINE => self.is_too_long = true,
                byte => self.line.push(*byte),
            }
        }
    }
}
