//! Frames, cut and spoilt in every way.

use proptest::prelude::*;

use super::module::frames::{command, crc32, reply, size};
use crate::eigencomm::commands::{Code, Command};
use crate::eigencomm::frame::{Check, Decoder, Event, encode};

const STATUS: [u8; 4] = [0x44, 0, 0x4C, 0xB3];

fn events(decoder: &mut Decoder, pieces: &[&[u8]]) -> Vec<(Event, Vec<u8>)> {
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(event) = decoder.next_answer() {
            events.push((event, decoder.payload().to_vec()));
        }
    }
    events
}

fn answer(head: [u8; 4]) -> Event {
    Event::Answer {
        code: head[0],
        index: head[1],
        order: [head[2], head[3]],
    }
}

/// Echoes, answers, refusals with right and stale heads and sums, and a bulk of bytes.
fn stream() -> (Vec<u8>, Vec<Event>) {
    let echo = vec![0xAA, 0xD3, 0x02, 0x2B];
    let elsewhere = vec![0x2B, 0x02, 0xD3, 0xEE];
    let stale_head = vec![
        0xAA, 0xD3, 0x02, 0x2B, 1, 4, 0x9A, 0, 0, 0, 0x2C, 0x91, 0xC4, 0x13,
    ];
    let left_over = vec![
        0x50, 0x76, 0xB8, 0x07, 1, 4, 0x9B, 0, 0, 0, 0x3D, 0xB4, 0x0E, 0x4D,
    ];
    let stale_sum = vec![0x32, 1, 0xCD, 0x32, 1, 4, 0x9C, 0, 0, 0, 0x90, 0x29, 0xD8, 0x66];
    let mut bulk = [&[0x24, 0, 0x4C, 0xB3, 0, 0xFA][..], &vec![0x55; 0x1_0000]].concat();
    bulk.extend(crc32(&bulk));
    let status = reply(STATUS, 0, &[0; 4], true);
    let mut damaged = status.clone();
    damaged[9] ^= 1;
    let parts = [
        echo.clone(),
        status,
        echo,
        stale_head,
        damaged,
        left_over,
        b"noise".to_vec(),
        stale_sum,
        bulk,
        elsewhere,
    ];
    let refusal = |head, code| Event::Refusal {
        head,
        refusal: Code(code),
    };
    let expected = vec![
        answer(STATUS),
        refusal([0xAA, 0xD3, 0x02, 0x2B], 0x9A),
        Event::Damaged(14),
        refusal([0x50, 0x76, 0xB8, 0x07], 0x9B),
        refusal([0x32, 1, 0xCD, 0x32], 0x9C),
        answer([0x24, 0, 0x4C, 0xB3]),
        Event::WrongState,
    ];
    (parts.concat(), expected)
}

#[test]
fn tells_every_kind_of_answer() {
    let (stream, expected) = stream();
    let found = events(&mut Decoder::new(Check::Crc), &[&stream]);
    assert_eq!(found[0].1, [0; 4]);
    assert_eq!(found[5].1.len(), 0x1_0000);
    let found: Vec<Event> = found.into_iter().map(|(event, _)| event).collect();
    assert_eq!(found, expected);
}

#[test]
fn reads_the_boot_rom_without_check_sums() {
    let stream = [
        &[0x00, 0xD3, 0x02, 0x2B][..],
        &reply([0x31, 0, 0xCD, 0x32], 0, &[0, 4, 0, 0], false),
        &reply([0x32, 1, 0xCD, 0x32], 1, &[0x9A, 0, 0, 0], false),
    ]
    .concat();
    let found = events(&mut Decoder::new(Check::Sum), &[&stream]);
    let refusal = Event::Refusal {
        head: [0x32, 1, 0xCD, 0x32],
        refusal: Code::BAD_CRC,
    };
    assert_eq!(
        found,
        [
            (answer([0x31, 0, 0xCD, 0x32]), vec![0, 4, 0, 0]),
            (refusal, vec![0x9A, 0, 0, 0])
        ]
    );
}

#[test]
fn waits_for_the_rest_of_an_answer() {
    let whole = reply(STATUS, 0, &[0; 4], true);
    for cut in 0..whole.len() {
        let mut decoder = Decoder::new(Check::Crc);
        assert_eq!(events(&mut decoder, &[&whole[..cut]]), []);
        assert_eq!(decoder.is_midst(), cut > 0);
        assert_eq!(
            events(&mut decoder, &[&whole[cut..]]),
            [(answer(STATUS), vec![0; 4])]
        );
        assert!(!decoder.is_midst());
    }
}

proptest! {
    #[test]
    fn cuts_change_nothing(cuts in proptest::collection::vec(0..66_000usize, 0..12)) {
        let (stream, expected) = stream();
        let mut cuts = cuts;
        cuts.extend([0, stream.len()]);
        cuts.retain(|cut| *cut <= stream.len());
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
        let found = events(&mut Decoder::new(Check::Crc), &pieces);
        prop_assert!(found == events(&mut Decoder::new(Check::Crc), &[&stream]), "payloads differ");
        let found: Vec<Event> = found.into_iter().map(|(event, _)| event).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn never_panics_and_never_stands_still(bytes in proptest::collection::vec(any::<u8>(), 0..400), rom: bool) {
        let check = if rom { Check::Sum } else { Check::Crc };
        let mut decoder = Decoder::new(check);
        decoder.push(&bytes);
        let mut count = 0;
        while decoder.next_answer().is_some() {
            count += 1;
        }
        prop_assert!(count <= bytes.len());
        while decoder.next_word().is_some() {}
    }

    #[test]
    fn what_is_sent_is_what_the_module_reads(
        data in proptest::collection::vec(any::<u8>(), 0..300),
        index: u8,
        rom: bool,
    ) {
        let check = if rom { Check::Sum } else { Check::Crc };
        let mut raw = vec![0xEE];
        encode(check, Command::DOWNLOAD_DATA, index, &data, &mut raw);
        let raw = &raw[1..];
        prop_assert_eq!(size(raw, rom), Some(raw.len()));
        let heard = command(raw, rom);
        prop_assert!(heard.sound && heard.length_sound);
        prop_assert_eq!((heard.head, heard.data), ([0x32, index, 0xCD, 0x32], data));
    }
}
