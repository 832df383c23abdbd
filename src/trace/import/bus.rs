//! Who has talked on a captured bus: devices, their ids, their endpoints, and how much they have carried.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::urb::{IN, Kind, Stage, Urb};
use crate::error::{Error, Kind as ErrorKind};

/// Requests for descriptors whose answers are waited for at once.
const MOST_REQUESTS: usize = 256;
/// Bytes that are kept of the beginning of what a host says.
const FIRST_BYTES: usize = 16;
/// GET_DESCRIPTOR, and what of. Source: USB 2.0 §9.4.
const GET_DESCRIPTOR: [u8; 2] = [0x80, 0x06];
const DEVICE: u8 = 1;
const CONFIGURATION: u8 = 2;
const INTERFACE: u8 = 4;
const ENDPOINT: u8 = 5;

/// A device on a bus, while it stays plugged in: `1.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DeviceNumber {
    /// The bus.
    pub bus: u16,
    /// Its address there.
    pub device: u16,
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.bus, self.device)
    }
}

impl FromStr for DeviceNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |(bus, device): (&str, &str)| {
            Some(DeviceNumber {
                bus: bus.parse().ok()?,
                device: device.parse().ok()?,
            })
        };
        let parts = text.split_once('.');
        parts
            .and_then(parse)
            .ok_or_else(|| "bus and device number, like 1.5".into())
    }
}

/// Two bulk endpoints of a device: `0x01,0x81`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Endpoints {
    /// bEndpointAddress towards the module.
    pub out: u8,
    /// bEndpointAddress from the module.
    #[serde(rename = "in")]
    pub into: u8,
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02x},0x{:02x}", self.out, self.into)
    }
}

impl FromStr for Endpoints {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(hex) => u8::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        };
        let pair = text.split_once(',').and_then(|(out, into)| {
            Some(Endpoints {
                out: number(out)?,
                into: number(into)?,
            })
        });
        pair.filter(|pair| pair.out & IN == 0 && pair.into & IN != 0)
            .ok_or_else(|| "an OUT and an IN endpoint, like 0x01,0x81".into())
    }
}

/// Everything that was seen on a bus.
#[derive(Debug, Default)]
pub(super) struct Bus {
    devices: BTreeMap<DeviceNumber, Found>,
    /// Requests whose answer has not been seen.
    requests: BTreeMap<u64, [u8; 8]>,
}

/// What was seen of a device.
#[derive(Debug, Default)]
pub(super) struct Found {
    id: Option<(u16, u16)>,
    endpoints: BTreeMap<u8, Endpoint>,
    /// The interface of an endpoint.
    interfaces: BTreeMap<u8, u8>,
}

/// What was seen of a bulk endpoint.
#[derive(Debug, Default)]
struct Endpoint {
    bytes: u64,
    first: Vec<u8>,
}

impl Bus {
    /// Takes in one event.
    pub fn see(&mut self, urb: &Urb<'_>) {
        match urb.kind {
            Kind::Control => self.see_control(urb),
            Kind::Bulk => self.see_bulk(urb),
            Kind::Else => {}
        }
    }

    fn see_control(&mut self, urb: &Urb<'_>) {
        match (urb.stage, urb.setup) {
            (Stage::Submitted, Some(setup)) if self.requests.len() < MOST_REQUESTS => {
                self.requests.insert(urb.id, setup);
            }
            (Stage::Completed(_) | Stage::Refused, _) => {
                if let Some(setup) = self.requests.remove(&urb.id)
                    && setup[..2] == GET_DESCRIPTOR
                {
                    self.devices
                        .entry(urb.device)
                        .or_default()
                        .learn(setup[3], urb.data);
                }
            }
            _ => {}
        }
    }

    fn see_bulk(&mut self, urb: &Urb<'_>) {
        let is_in = urb.endpoint & IN != 0;
        let carries = match urb.stage {
            Stage::Submitted => !is_in,
            Stage::Completed(_) => is_in,
            Stage::Refused => false,
        };
        if !carries || urb.length == 0 {
            return;
        }
        let device = self.devices.entry(urb.device).or_default();
        let endpoint = device.endpoints.entry(urb.endpoint).or_default();
        endpoint.bytes += u64::from(urb.length);
        let wanted = FIRST_BYTES.saturating_sub(endpoint.first.len());
        endpoint.first.extend(urb.data.iter().take(wanted));
    }

    /// The device that was asked for, or the only one with bulk data in both directions.
    pub fn choose(&self, name: &str, wanted: Option<DeviceNumber>) -> Result<(DeviceNumber, &Found), Error> {
        let talkers: Vec<_> = self
            .devices
            .iter()
            .filter(|(_, found)| !found.pairs().is_empty())
            .collect();
        let chosen: Vec<_> = match wanted {
            Some(wanted) => self
                .devices
                .iter()
                .filter(|(number, _)| **number == wanted)
                .collect(),
            None => talkers,
        };
        match chosen[..] {
            [(number, found)] => Ok((*number, found)),
            [] => Err(super::nothing(name, self)),
            _ => {
                let text = format!(
                    "several devices have talked in the capture `{name}`{}",
                    self.list()
                );
                Err(Error::new(ErrorKind::ModuleSeveral, text).hint("choose one: `--device BUS.DEVICE`"))
            }
        }
    }

    /// One line for each device with bulk data.
    pub fn list(&self) -> String {
        let mut text = String::new();
        for (number, found) in &self.devices {
            for pair in found.pairs() {
                let id = found.usb_id().map_or(String::new(), |id| format!("  {id}"));
                let interface = found.interfaces.get(&pair.out);
                let interface = interface.map_or(String::new(), |number| format!("  interface {number}"));
                text += &format!(
                    "\n  {number}{id}{interface}  endpoints {pair}  {} bytes out, {} in",
                    found.bytes(pair.out),
                    found.bytes(pair.into)
                );
            }
        }
        text
    }
}

impl Found {
    /// `2ecc:3001`.
    pub fn usb_id(&self) -> Option<String> {
        self.id.map(|(vid, pid)| format!("{vid:04x}:{pid:04x}"))
    }

    /// How the host has begun on that endpoint.
    pub fn first_bytes(&self, endpoint: u8) -> &[u8] {
        self.endpoints.get(&endpoint).map_or(&[], |found| &found.first)
    }

    fn bytes(&self, endpoint: u8) -> u64 {
        self.endpoints.get(&endpoint).map_or(0, |found| found.bytes)
    }

    /// Pairs of endpoints with data in both directions, the one with most first. Endpoints of one interface belong
    /// together; where no descriptor was captured, those of one number, and then what is left.
    pub fn pairs(&self) -> Vec<Endpoints> {
        let of = |wanted_in: bool| {
            let mut found: Vec<u8> = self.endpoints.keys().copied().collect();
            found.retain(|endpoint| (endpoint & IN != 0) == wanted_in);
            found.sort_by_key(|endpoint| std::cmp::Reverse(self.bytes(*endpoint)));
            found
        };
        let mut ins = of(true);
        let interface = |endpoint: u8| self.interfaces.get(&endpoint);
        let belongs = |out: u8, into: u8| match (interface(out), interface(into)) {
            (Some(one), Some(other)) => one == other,
            _ => out == into & !IN,
        };
        let mut pairs = Vec::new();
        let mut alone = Vec::new();
        for out in of(false) {
            match ins.iter().position(|into| belongs(out, *into)) {
                Some(at) => pairs.push(Endpoints {
                    out,
                    into: ins.remove(at),
                }),
                None => alone.push(out),
            }
        }
        let known = |endpoint: &u8| interface(*endpoint).is_some();
        alone.retain(|out| !known(out));
        ins.retain(|into| !known(into));
        pairs.extend(
            alone
                .into_iter()
                .zip(ins)
                .map(|(out, into)| Endpoints { out, into }),
        );
        pairs.sort_by_key(|pair| std::cmp::Reverse(self.bytes(pair.out) + self.bytes(pair.into)));
        pairs
    }

    /// Takes in a descriptor, as far as it was captured.
    fn learn(&mut self, kind: u8, bytes: &[u8]) {
        match (kind, bytes) {
            (DEVICE, [_, DEVICE, _, _, _, _, _, _, v0, v1, p0, p1, ..]) => {
                self.id = Some((u16::from_le_bytes([*v0, *v1]), u16::from_le_bytes([*p0, *p1])));
            }
            (CONFIGURATION, _) => self.learn_interfaces(bytes),
            _ => {}
        }
    }

    fn learn_interfaces(&mut self, mut bytes: &[u8]) {
        let mut interface = None;
        while let [length, kind, rest @ ..] = bytes {
            match (*kind, rest) {
                (INTERFACE, [number, ..]) => interface = Some(*number),
                (ENDPOINT, [address, ..]) => {
                    if let Some(interface) = interface {
                        self.interfaces.insert(*address, interface);
                    }
                }
                _ => {}
            }
            bytes = bytes.get(usize::from(*length).max(2)..).unwrap_or_default();
        }
    }
}
