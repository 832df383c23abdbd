//! Any stream, cut anywhere, gives the same frames; none is larger than the MTU.

use qpyflash_protocols::asr::smux::{Decoder, Kind};

use crate::read;

fn decode(decoder: &mut Decoder, mut input: &[u8], frames: &mut Vec<(Kind, Vec<u8>)>) {
    while let Some(frame) = decoder.next(&mut input) {
        frames.push((frame.kind, frame.payload.to_vec()));
    }
    assert!(input.is_empty());
}

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<(u8, u8, &[u8])>(bytes) else {
        return;
    };
    let (mtu, piece, stream) = (usize::from(input.0), usize::from(input.1).max(1), input.2);
    let mut whole = Vec::new();
    let mut decoder = Decoder::new();
    decoder.set_mtu(mtu);
    decode(&mut decoder, stream, &mut whole);
    let mut parts = Vec::new();
    let mut decoder = Decoder::new();
    decoder.set_mtu(mtu);
    stream
        .chunks(piece)
        .for_each(|part| decode(&mut decoder, part, &mut parts));
    assert_eq!(whole, parts);
    assert!(
        whole
            .iter()
            .all(|(_, payload)| (1..=mtu).contains(&payload.len()))
    );
}
