//! A recording of the exchange, as JSON lines.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use qpyflash_protocols::Phase;
use serde::Serialize;

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// We did.
    ToModule,
    /// The module did.
    FromModule,
}

impl Direction {
    /// `>` for us, `<` for the module.
    pub const fn arrow(self) -> char {
        match self {
            Direction::ToModule => '>',
            Direction::FromModule => '<',
        }
    }
}

/// One line of the recording.
#[derive(Serialize)]
struct Entry<'a> {
    t: f64,
    phase: Option<Phase>,
    direction: Direction,
    hex: &'a str,
}

/// A recording of every byte with its time and phase: a line that names the schema, then one JSON object a line.
#[derive(Debug, Clone)]
pub struct Trace {
    file: Arc<Mutex<BufWriter<File>>>,
}

impl Trace {
    /// Creates the file.
    ///
    /// # Errors
    /// The operating system's.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, r#"{{"schema":1,"kind":"qpyflash-trace"}}"#)?;
        Ok(Trace {
            file: Arc::new(Mutex::new(file)),
        })
    }

    /// Appends what went over the wire. A full disk must not end a write to a module: it ends the recording.
    pub fn bytes(&self, at: Duration, phase: Option<Phase>, direction: Direction, bytes: &[u8]) {
        let mut hex = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            let _ = write!(hex, "{byte:02x}");
        }
        let entry = Entry {
            t: at.as_secs_f64(),
            phase,
            direction,
            hex: &hex,
        };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = serde_json::to_writer(&mut *file, &entry)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.flush());
        if let Err(error) = written {
            log::warn!("the trace is incomplete: {error}");
        }
    }
}
