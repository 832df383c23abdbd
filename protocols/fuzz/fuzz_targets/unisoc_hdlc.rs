//! Frames: any cut of a stream gives the same ones, and what is encoded is decoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qpyflash_protocols::unisoc::hdlc::{Check, Decoder, Event, encode};

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

fuzz_target!(|input: (&[u8], u8, u16)| {
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
});
