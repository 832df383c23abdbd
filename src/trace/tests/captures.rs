//! No bytes make an import fail in another way than with an error.

use std::io::Cursor;

use proptest::prelude::*;

use crate::Kind;
use crate::trace::import::{Choice, import};

/// The head of a pcap file with that link type.
fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![
        0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0,
    ];
    file.extend(link.to_le_bytes());
    for packet in packets {
        let length = (packet.len() as u32).to_le_bytes();
        file.extend([0; 8]);
        file.extend(length);
        file.extend(length);
        file.extend(packet);
    }
    file
}

fn kind_of(file: &[u8]) -> Option<Kind> {
    import(
        &mut Cursor::new(file),
        "x.pcap",
        &Choice::default(),
        std::io::sink(),
    )
    .err()
    .map(|error| error.kind)
}

#[test]
fn what_is_no_capture_is_refused() {
    for file in [
        &b""[..],
        b"abc",
        b"hello, this is no capture",
        b"\x0A\x0D\x0D\x0A",
        &pcap(220, &[])[..20],
    ] {
        assert_eq!(kind_of(file), Some(Kind::CaptureUnreadable), "{file:?}");
    }
    assert_eq!(kind_of(&pcap(1, &[vec![0; 60]])), Some(Kind::ModuleMissing));
    let cut = pcap(220, &[vec![0; 80]]);
    assert_eq!(kind_of(&cut[..cut.len() - 1]), Some(Kind::CaptureUnreadable));
}

/// An event of a bulk transfer of five bytes at that second. Source: Linux, Documentation/usb/usbmon.rst.
fn usbmon(stage: u8, endpoint: u8, seconds: i64) -> Vec<u8> {
    let mut packet = vec![1, 0, 0, 0, 0, 0, 0, 0, stage, 3, endpoint, 5, 1, 0, b'-', 0];
    packet.extend(seconds.to_le_bytes());
    packet.extend([0; 8]);
    packet.extend([5, 0, 0, 0, 5, 0, 0, 0]);
    packet.extend([0; 24]);
    packet.extend(b"UUUU~");
    packet
}

#[test]
fn times_that_lie_years_apart_are_refused() {
    let capture = |later| {
        let events = [(b'S', 1, 0), (b'C', 1, 0), (b'C', 0x81, later)];
        pcap(
            220,
            &events.map(|(stage, endpoint, seconds)| usbmon(stage, endpoint, seconds)),
        )
    };
    assert_eq!(kind_of(&capture(60)), None);
    assert_eq!(kind_of(&capture(-60)), None);
    assert_eq!(kind_of(&capture(i64::MAX)), Some(Kind::CaptureUnreadable));
}

/// A packet that looks like one of usbmon or USBPcap, with some of its fields at random.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop_oneof![Just(b'S'), Just(b'C'), Just(b'E'), any::<u8>()];
    (
        kinds,
        any::<[u8; 6]>(),
        proptest::collection::vec(any::<u8>(), 0..120),
    )
        .prop_map(|(kind, fields, mut bytes)| {
            for (at, byte) in [
                (8, kind),
                (9, fields[0] & 3),
                (10, fields[1] & 0x81),
                (11, fields[2] & 1),
            ] {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            bytes
        })
}

proptest! {
    #[test]
    fn no_packet_can_make_it_panic(
        link in proptest::sample::select(&[189u32, 220, 249][..]),
        packets in proptest::collection::vec(packet(), 0..20),
    ) {
        kind_of(&pcap(link, &packets));
    }

    #[test]
    fn no_file_can_make_it_panic(next in proptest::sample::select(&[false, true][..]), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut file = match next {
            true => vec![0x0A, 0x0D, 0x0D, 0x0A, 0x1C, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x1C, 0, 0, 0],
            false => pcap(220, &[]),
        };
        file.extend(bytes);
        kind_of(&file);
    }
}
