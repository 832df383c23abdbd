//! Frames: any cut of a stream gives the same answers, and what is encoded has the length it states.

use qpyflash_protocols::eigencomm::commands::Command;
use qpyflash_protocols::eigencomm::frame::{Check, Decoder, Event, encode};

use crate::read;

fn decode(check: Check, stream: &[u8], piece: usize) -> Vec<(Event, Vec<u8>)> {
    let mut decoder = Decoder::new(check);
    let mut found = Vec::new();
    for bytes in stream.chunks(piece.max(1)) {
        decoder.push(bytes);
        while let Some(event) = decoder.next_answer() {
            found.push((event, decoder.payload().to_vec()));
        }
    }
    found
}

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<(&[u8], u8, u8, bool)>(bytes) else {
        return;
    };
    let (stream, piece, index, of_rom) = input;
    let check = if of_rom { Check::Sum } else { Check::Crc };
    assert_eq!(
        decode(check, stream, stream.len()),
        decode(check, stream, piece.into())
    );
    let mut words = Decoder::new(check);
    words.push(stream);
    while words.next_word().is_some() {}
    let data = &stream[..stream.len().min(0x1_0000)];
    let mut frame = Vec::new();
    encode(check, Command::DOWNLOAD_DATA, index, data, &mut frame);
    assert_eq!(frame.len(), 8 + data.len() + 4);
    let stated = u32::from_le_bytes([frame[4], frame[5], frame[6], 0]);
    assert_eq!((stated as usize, frame[1]), (data.len(), index));
}
