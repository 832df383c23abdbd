//! A recording in memory, out of its file.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use qpyflash_protocols::{Phase, Platform};

use super::record::{Entry, Event, Header, KIND, SCHEMA, What};
use crate::error::{Error, Kind};

/// Bytes of the longest line that is read: no write of ours comes near it.
const LONGEST_LINE: u64 = 64 << 20;
/// Bytes of the largest recording that is read.
const LARGEST: u64 = 1 << 30;
/// Seconds that no recording lasts.
pub(super) const LONGEST_SECONDS: f64 = 1e8;

/// All of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Its first line.
    pub header: Header,
    /// The others, in order. The first of them is line 2 of the file.
    pub entries: Vec<Entry>,
    /// The last line had no end and has been dropped: the program that wrote it was killed.
    pub cut_off: bool,
}

/// One opening of one port, out of a recording.
#[derive(Debug, Clone)]
pub struct Line<'r> {
    /// The port.
    pub port: &'r str,
    /// What was said on it.
    pub talk: &'r str,
    /// Whose protocol, for a session.
    pub platform: Option<Platform>,
    /// What the session was given.
    pub session: Option<&'r serde_json::Value>,
    /// What happened on it, without its opening and closing.
    pub entries: Vec<Moment<'r>>,
    /// The recording holds its end.
    pub is_whole: bool,
}

/// Something that happened on a line.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'r> {
    /// Its line in the file, counted from 1.
    pub number: usize,
    /// When, in seconds since the recording began.
    pub t: f64,
    /// When, by the session's clock.
    pub at: Duration,
    /// The phase of the run.
    pub phase: Option<Phase>,
    /// What.
    pub what: &'r What,
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// [`Kind::TraceUnreadable`] when it cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|why| unreadable(&name, &why.to_string()))?;
        if file.metadata().is_ok_and(|about| about.len() > LARGEST) {
            return Err(unreadable(&name, "it is larger than 1 GiB"));
        }
        Recording::parse(BufReader::new(file).take(LARGEST), &name)
    }

    /// Reads a recording out of bytes; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn parse(mut input: impl BufRead, name: &str) -> Result<Self, Error> {
        let mut entries = Vec::new();
        let mut header: Option<Header> = None;
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
            let count = read.map_err(|why| unreadable(name, &why.to_string()))?;
            if count == 0 {
                break;
            }
            let is_whole = line.ends_with(b"\n");
            match (&mut header, serde_json::from_slice::<Entry>(&line)) {
                (None, _) => header = Some(checked_header(&line, name)?),
                (Some(_), Ok(entry)) if (0.0..LONGEST_SECONDS).contains(&entry.t) => entries.push(entry),
                (Some(_), Err(_)) if !is_whole && count < LONGEST_LINE as usize => {
                    let header = header.ok_or_else(|| empty(name))?;
                    return Ok(Recording {
                        header,
                        entries,
                        cut_off: true,
                    });
                }
                (Some(_), Ok(_)) => {
                    return Err(unreadable(name, &format!("line {number} has no possible time")));
                }
                (Some(_), Err(why)) => return Err(unreadable(name, &format!("line {number}: {why}"))),
            }
        }
        Ok(Recording {
            header: header.ok_or_else(|| empty(name))?,
            entries,
            cut_off: false,
        })
    }

    /// Writes it as a file.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_to(&self, mut out: impl Write) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(&self.header)?;
        for entry in &self.entries {
            line.push(b'\n');
            out.write_all(&line)?;
            line.clear();
            serde_json::to_writer(&mut line, entry)?;
        }
        line.push(b'\n');
        out.write_all(&line)?;
        out.flush()
    }

    /// Its lines, in the order in which they were opened.
    pub fn lines(&self) -> Vec<Line<'_>> {
        let mut lines: Vec<(u32, f64, Line<'_>)> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let Some(id) = entry.line else { continue };
            if let What::Event(Event::Opened {
                port, talk, platform, ..
            }) = &entry.what
            {
                let line = Line {
                    port,
                    talk,
                    platform: *platform,
                    session: None,
                    entries: Vec::new(),
                    is_whole: false,
                };
                lines.push((id, entry.t, line));
                continue;
            }
            let Some((_, opened, line)) = lines.iter_mut().rev().find(|(other, ..)| *other == id) else {
                continue;
            };
            match &entry.what {
                What::Event(Event::Closed) => line.is_whole = true,
                What::Event(Event::Session { options }) => line.session = Some(options),
                what => line.entries.push(Moment {
                    number: index + 2,
                    t: entry.t,
                    at: self.session_time(entry.t - *opened),
                    phase: entry.phase,
                    what,
                }),
            }
        }
        lines.into_iter().map(|(.., line)| line).collect()
    }

    /// A session's clock runs slower where every wait is to last longer.
    fn session_time(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.header.timeout_scale).unwrap_or_default()
    }
}

fn checked_header(line: &[u8], name: &str) -> Result<Header, Error> {
    let found: Option<serde_json::Value> = serde_json::from_slice(line).ok();
    let schema = match found {
        Some(value) if value["kind"] == KIND => value["schema"].as_u64(),
        _ => {
            return Err(unreadable(
                name,
                "it does not begin as a recording of qpyflash does",
            ));
        }
    };
    if schema != Some(SCHEMA.into()) {
        let other = schema.map_or("none".to_owned(), |schema| schema.to_string());
        let why = format!("it is of schema {other}, this version reads {SCHEMA}");
        return Err(unreadable(name, &why));
    }
    let header: Header =
        serde_json::from_slice(line).map_err(|why| unreadable(name, &format!("line 1: {why}")))?;
    match header.timeout_scale {
        scale if (0.001..=1000.0).contains(&scale) => Ok(header),
        _ => Err(unreadable(name, "line 1: no possible `timeout_scale`")),
    }
}

fn empty(name: &str) -> Error {
    unreadable(name, "it is empty")
}

fn unreadable(name: &str, why: &str) -> Error {
    Error::new(
        Kind::TraceUnreadable,
        format!("cannot read the recording `{name}`: {why}"),
    )
    .hint("recordings are made with `--trace FILE`, or by `qpyflash trace import` from a USB capture")
}
