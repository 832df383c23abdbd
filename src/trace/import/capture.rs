//! Packets out of pcap and pcapng files.

use std::borrow::Cow;
use std::io::{BufReader, Read, Seek};

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{Endianness, PcapError, TsResolution};

use crate::error::{Error, Kind};

/// How a pcapng file begins. Source: draft-ietf-opsawg-pcapng §4.1.
const PCAPNG: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];

/// One packet of a capture.
pub(super) struct Packet<'a> {
    /// The link type: what the bytes are.
    pub link: u32,
    /// The machine that captured was big-endian.
    pub big_endian: bool,
    /// When, in microseconds.
    pub micros: i64,
    /// The bytes, as far as they were captured.
    pub data: Cow<'a, [u8]>,
}

/// Hands every packet of a capture to `visit`, from the beginning.
pub(super) fn each_packet(
    capture: &mut (impl Read + Seek),
    name: &str,
    mut visit: impl FnMut(Packet<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let broken = |why: &dyn std::fmt::Display| damaged(name, why);
    let mut magic = [0; 4];
    capture.rewind().map_err(|why| broken(&why))?;
    capture.read_exact(&mut magic).map_err(|why| broken(&why))?;
    capture.rewind().map_err(|why| broken(&why))?;
    let input = BufReader::new(capture);
    match magic {
        PCAPNG => each_block(
            PcapNgReader::new(input).map_err(|why| broken(&words(why)))?,
            name,
            visit,
        ),
        _ => {
            let mut reader = PcapReader::new(input).map_err(|why| broken(&words(why)))?;
            let header = reader.header();
            let fraction = match header.ts_resolution {
                TsResolution::MicroSecond => 1,
                TsResolution::NanoSecond => 1000,
            };
            while let Some(packet) = reader.next_raw_packet() {
                let packet = packet.map_err(|why| broken(&words(why)))?;
                visit(Packet {
                    link: header.datalink.into(),
                    big_endian: header.endianness == Endianness::Big,
                    micros: i64::from(packet.ts_sec) * 1_000_000 + i64::from(packet.ts_frac / fraction),
                    data: packet.data,
                })?;
            }
            Ok(())
        }
    }
}

/// An interface of a pcapng section.
struct Interface {
    link: u32,
    /// Units of its clock in a second.
    per_second: u128,
}

impl Interface {
    fn of(block: &InterfaceDescriptionBlock<'_>) -> Self {
        let resolution = block.options.iter().find_map(|option| match option {
            InterfaceDescriptionOption::IfTsResol(resolution) => Some(*resolution),
            _ => None,
        });
        // Powers of ten, or of two with the highest bit. Source: draft-ietf-opsawg-pcapng §4.2.
        let per_second = match resolution.unwrap_or(6) {
            two if two & 0x80 != 0 => 1u128.checked_shl((two & 0x7F).into()),
            ten => 10u128.checked_pow(ten.into()),
        };
        Interface {
            link: block.linktype.into(),
            per_second: per_second.unwrap_or(u128::MAX),
        }
    }
}

fn each_block<R: Read>(
    mut reader: PcapNgReader<R>,
    name: &str,
    mut visit: impl FnMut(Packet<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut big_endian = reader.section().endianness == Endianness::Big;
    let mut interfaces: Vec<Interface> = Vec::new();
    while let Some(block) = reader.next_block() {
        match block.map_err(|why| damaged(name, &words(why)))? {
            Block::SectionHeader(section) => {
                big_endian = section.endianness == Endianness::Big;
                interfaces.clear();
            }
            Block::InterfaceDescription(interface) => interfaces.push(Interface::of(&interface)),
            Block::EnhancedPacket(packet) => {
                let Some(interface) = interfaces.get(packet.interface_id as usize) else {
                    return Err(damaged(name, &"a packet of an interface that is not described"));
                };
                // The library takes every clock for one of nanoseconds.
                let units = packet.timestamp.as_nanos();
                let micros = units.saturating_mul(1_000_000) / interface.per_second.max(1);
                visit(Packet {
                    link: interface.link,
                    big_endian,
                    micros: i64::try_from(micros).unwrap_or(i64::MAX),
                    data: packet.data,
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn words(error: PcapError) -> String {
    match error {
        PcapError::IoError(why) if why.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it ends in the middle of a packet".into()
        }
        PcapError::IoError(why) => why.to_string(),
        other => other.to_string(),
    }
}

/// A file that is none, or is broken.
pub(super) fn damaged(name: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(
        Kind::CaptureUnreadable,
        format!("cannot read the capture `{name}`: {why}"),
    )
    .hint("captures are pcap or pcapng files of usbmon (Linux) or USBPcap (Windows)")
}
