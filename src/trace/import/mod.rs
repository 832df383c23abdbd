//! Makes a recording of a capture of a USB bus: what another tool has said to a module and what came back.
//!
//! ```text
//! Linux     modprobe usbmon; tcpdump -i usbmon1 -s 0 -w capture.pcap        link types 189 and 220
//! Windows   USBPcap, as Wireshark installs it                               link type 249
//! ```
//!
//! A capture is read twice and never held: once to see which devices and endpoints are in it, once for the transfers
//! of the pair that was chosen. Only what a completed transfer has really carried counts.

mod bus;
mod capture;
mod transfers;
mod urb;

use std::io::{Read, Seek, Write};

use qpyflash_protocols::Platform;
use qpyflash_protocols::describe::{Describer, platform_of};
use serde::Serialize;

use bus::{Bus, Found};
pub use bus::{DeviceNumber, Endpoints};
use capture::{damaged, each_packet};
use transfers::Transfers;
use urb::Urb;

use super::record::{Bytes, CaptureOrigin, Direction, Entry, Event, Header, SESSION, What};
use super::recording::LONGEST_SECONDS;
use crate::error::{Error, Kind};

/// What a line is called of which nobody knows what is spoken on it.
const UNKNOWN: &str = "unknown";

/// Which part of a capture.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// The device, where several have talked.
    pub device: Option<DeviceNumber>,
    /// The two endpoints; the pair that has carried most by default.
    pub endpoints: Option<Endpoints>,
    /// The platform, where the first bytes do not tell.
    pub platform: Option<Platform>,
}

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Where it comes from.
    pub origin: CaptureOrigin,
    /// Whose protocol it is, by its first bytes.
    pub platform: Option<Platform>,
    /// Bytes to the module.
    pub bytes_to_module: u64,
    /// Bytes from the module.
    pub bytes_from_module: u64,
    /// Transfers whose end the capture does not hold; they are left out.
    pub unfinished: usize,
    /// Other pairs of the same device that have carried data.
    pub other_endpoints: Vec<Endpoints>,
}

/// Reads a capture and writes a recording; `name` is what the capture is called.
///
/// # Errors
/// [`Kind::CaptureUnreadable`] when it is no capture of a USB bus, is damaged, or lacks bytes of a transfer;
/// [`Kind::ModuleSeveral`] when several devices have talked and none was chosen; [`Kind::ModuleMissing`] when the
/// chosen one has not.
pub fn import(
    capture: &mut (impl Read + Seek),
    name: &str,
    choice: &Choice,
    mut out: impl Write,
) -> Result<Imported, Error> {
    let mut bus = Bus::default();
    each_packet(capture, name, |packet| {
        if let Some(urb) = Urb::parse(&packet) {
            bus.see(&urb);
        }
        Ok(())
    })?;
    let (device, found) = bus.choose(name, choice.device)?;
    let pairs = found.pairs();
    let pair = match choice.endpoints {
        Some(endpoints) => endpoints,
        None => *pairs.first().ok_or_else(|| nothing(name, &bus))?,
    };
    let platform = choice
        .platform
        .or_else(|| platform_of(found.first_bytes(pair.out)));
    let mut imported = Imported {
        origin: origin(name, device, found, pair),
        platform,
        bytes_to_module: 0,
        bytes_from_module: 0,
        unfinished: 0,
        other_endpoints: pairs.into_iter().filter(|other| *other != pair).collect(),
    };
    let mut writer = Writer::begin(&mut out, &imported).map_err(|why| unwritable(&why))?;
    let mut transfers = Transfers::new(device, pair, name);
    each_packet(capture, name, |packet| {
        if let Some(urb) = Urb::parse(&packet) {
            transfers.see(&urb)?;
        }
        writer.take(&mut transfers)
    })?;
    imported.unfinished = transfers.finish();
    writer.take(&mut transfers)?;
    [imported.bytes_to_module, imported.bytes_from_module] = writer.carried;
    writer.end().map_err(|why| unwritable(&why))?;
    if imported.bytes_to_module == 0 {
        return Err(nothing(name, &bus));
    }
    Ok(imported)
}

fn origin(name: &str, device: DeviceNumber, found: &Found, pair: Endpoints) -> CaptureOrigin {
    CaptureOrigin {
        file: name.to_owned(),
        device: device.to_string(),
        usb_id: found.usb_id(),
        out_endpoint: pair.out,
        in_endpoint: pair.into,
    }
}

/// Writes the recording of one line.
struct Writer<W> {
    out: W,
    /// What the capture is called.
    name: String,
    describer: Describer,
    /// The time of the first transfer, in microseconds.
    began: Option<i64>,
    t: f64,
    /// Bytes to the module, and from it.
    carried: [u64; 2],
}

impl<W: Write> Writer<W> {
    fn begin(mut out: W, imported: &Imported) -> std::io::Result<Self> {
        let header = Header {
            capture: Some(imported.origin.clone()),
            ..Header::new(1.0)
        };
        serde_json::to_writer(&mut out, &header)?;
        let mut writer = Writer {
            out,
            name: imported.origin.file.clone(),
            describer: imported.platform.map_or_else(Describer::of_text, Describer::of),
            began: None,
            t: 0.0,
            carried: [0, 0],
        };
        let CaptureOrigin {
            device,
            out_endpoint,
            in_endpoint,
            ..
        } = &imported.origin;
        writer.entry(What::Event(Event::Opened {
            port: format!("usb {device}, endpoints 0x{out_endpoint:02x} and 0x{in_endpoint:02x}"),
            baud: 0,
            talk: imported.platform.map_or(UNKNOWN, |_| SESSION).to_owned(),
            platform: imported.platform,
        }))?;
        Ok(writer)
    }

    fn take(&mut self, transfers: &mut Transfers<'_>) -> Result<(), Error> {
        while let Some((at, direction, bytes)) = transfers.next() {
            let began = *self.began.get_or_insert(at);
            // A clock that was set back in between does not turn the order of the bytes.
            self.t = self.t.max(at.saturating_sub(began) as f64 / 1e6);
            if self.t >= LONGEST_SECONDS {
                return Err(damaged(&self.name, &"its times lie years apart"));
            }
            self.bytes(direction, bytes).map_err(|why| unwritable(&why))?;
        }
        Ok(())
    }

    fn bytes(&mut self, direction: Direction, bytes: Vec<u8>) -> std::io::Result<()> {
        let meaning = self.describer.describe(direction.side(), &bytes);
        self.carried[usize::from(direction == Direction::FromModule)] += bytes.len() as u64;
        self.entry(What::Bytes(Bytes {
            direction,
            polled: false,
            bytes,
            meaning: Some(meaning).filter(|words| !words.is_empty()),
        }))
    }

    fn entry(&mut self, what: What) -> std::io::Result<()> {
        let entry = Entry {
            t: self.t,
            line: Some(0),
            phase: None,
            what,
        };
        self.out.write_all(b"\n")?;
        Ok(serde_json::to_writer(&mut self.out, &entry)?)
    }

    fn end(&mut self) -> std::io::Result<()> {
        self.entry(What::Event(Event::Closed))?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

fn unwritable(why: &std::io::Error) -> Error {
    Error::new(Kind::Usage, format!("cannot write the recording: {why}"))
}

fn nothing(name: &str, bus: &Bus) -> Error {
    let text = format!(
        "the capture `{name}` holds no bulk data to such a device and back{}",
        bus.list()
    );
    Error::new(Kind::ModuleMissing, text)
        .hint("capture the bus that the module is on, from before the tool starts until it is done")
}
