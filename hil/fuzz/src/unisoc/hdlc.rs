//! Frames: any cut of a stream gives the same ones, and what is encoded is decoded.

use qpyflash_protocols::unisoc::hdlc::{Check, Decoder, Event, encode};

use crate::read;

fn decode(stream: &[u8], piece: usize) -> Vec<(Event, Vec<u8>)> {
    let mut decoder = Decoder::new(Check::Sum16);
    let mut found = Vec::new();
    for mut bytes in stream.chunks(piece.max(1)) {
        while let Some(event) = decoder.next(&mut bytes) {
            found.push((event, decoder.payload().to_vec()));
        }
    }
    found
}

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<(&[u8], u8, u16)>(bytes) else {
        return;
    };
    let (stream, piece, kind) = input;
    assert_eq!(decode(stream, stream.len()), decode(stream, piece.into()));
    let payload = &stream[..stream.len().min(65535)];
    for check in [Check::Sum16, Check::Crc16] {
        let mut wire = Vec::new();
        encode(check, kind, payload, &mut wire);
        let found = decode(&wire, piece.into());
        assert!(
            matches!(&found[..], [(Event::Frame { kind: same, .. }, data)] if *same == kind && data == payload)
        );
    }
}
