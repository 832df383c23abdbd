//! Writes a recording while a run goes on.
//!
//! Each entry is handed to the operating system at once: of a run that is killed, everything but at most the end of
//! the last line is in the file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use qpyflash_protocols::describe::Describer;
use qpyflash_protocols::{Phase, Platform};

use crate::trace::record::{Bytes, Direction, Entry, Event, Header, SESSION, What};

/// What is said on a line, for its recording.
#[derive(Debug, Clone, Copy)]
pub struct Speech {
    name: &'static str,
    platform: Option<Platform>,
}

impl Speech {
    /// A dialogue in text, by its name.
    pub const fn text(name: &'static str) -> Self {
        Speech { name, platform: None }
    }

    /// The platform's own protocol.
    pub const fn session(platform: Platform) -> Self {
        Speech {
            name: SESSION,
            platform: Some(platform),
        }
    }
}

/// A recording of every byte with its time, phase and meaning, and of what else matters to who says it again.
#[derive(Debug, Clone)]
pub struct Trace(Arc<Output>);

#[derive(Debug)]
struct Output {
    file: Mutex<BufWriter<File>>,
    began: Instant,
    lines: AtomicU32,
}

impl Trace {
    /// Creates the file. Every wait of the run lasts `timeout_scale` times longer than usual.
    ///
    /// # Errors
    /// The operating system's.
    pub fn create(path: &Path, timeout_scale: f64) -> std::io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        serde_json::to_writer(&mut file, &Header::new(timeout_scale))?;
        file.write_all(b"\n")?;
        file.flush()?;
        Ok(Trace(Arc::new(Output {
            file: Mutex::new(file),
            began: Instant::now(),
            lines: AtomicU32::new(0),
        })))
    }

    /// Records what belongs to no line.
    pub fn event(&self, event: Event) {
        self.write(None, None, What::Event(event));
    }

    /// Begins a line.
    pub(super) fn open(&self, port: String, baud: u32, speech: Speech, phase: Option<Phase>) -> Track {
        let track = Track {
            trace: self.clone(),
            line: self.0.lines.fetch_add(1, Ordering::Relaxed),
            describer: Some(speech.platform.map_or_else(Describer::of_text, Describer::of)),
        };
        let opened = Event::Opened {
            port,
            baud,
            talk: speech.name.to_owned(),
            platform: speech.platform,
        };
        track.event(phase, opened);
        track
    }

    /// A full disk must not end a write to a module: it ends the recording.
    fn write(&self, line: Option<u32>, phase: Option<Phase>, what: What) {
        let mut file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry {
            t: self.0.began.elapsed().as_micros() as f64 / 1e6,
            line,
            phase,
            what,
        };
        let written = serde_json::to_writer(&mut *file, &entry)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.flush());
        if let Err(error) = written {
            log::warn!("the trace is incomplete: {error}");
        }
    }
}

/// One line of a recording.
pub(super) struct Track {
    trace: Trace,
    line: u32,
    /// None once it has failed: words are never worth a run.
    describer: Option<Describer>,
}

impl Track {
    pub fn bytes(&mut self, phase: Option<Phase>, direction: Direction, bytes: &[u8], polled: bool) {
        let meaning = self.describer.as_mut().and_then(|describer| {
            let describe = AssertUnwindSafe(|| describer.describe(direction.side(), bytes));
            catch_unwind(describe).ok()
        });
        if meaning.is_none() {
            self.describer = None;
        }
        let bytes = Bytes {
            direction,
            polled,
            bytes: bytes.to_vec(),
            meaning: meaning.filter(|words| !words.is_empty()),
        };
        self.trace.write(Some(self.line), phase, What::Bytes(bytes));
    }

    pub fn event(&self, phase: Option<Phase>, event: Event) {
        self.trace.write(Some(self.line), phase, What::Event(event));
    }
}
