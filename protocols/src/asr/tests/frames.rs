//! SMUX frames: the worked examples of specs/asr-aboot.md §3.2, the receiver's rules of §3.3, and what must hold
//! for any stream.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::asr::smux::{DataFrames, Decoder, Kind, encode};

type Decoded = Vec<(Kind, Vec<u8>)>;

fn decode_with(decoder: &mut Decoder, mut input: &[u8]) -> Decoded {
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next(&mut input) {
        frames.push((frame.kind, frame.payload.to_vec()));
    }
    assert!(input.is_empty(), "without a frame all input is used");
    frames
}

fn decode(input: &[u8]) -> Decoded {
    decode_with(&mut Decoder::new(), input)
}

fn one(kind: Kind, payload: &[u8]) -> Decoded {
    vec![(kind, payload.to_vec())]
}

#[test]
fn encodes_and_decodes_the_worked_examples() {
    let examples: [(Kind, &[u8], &[u8]); 10] = [
        (Kind::Stdio, b"UABT", &[0x7E, 0x55, 0x41, 0x42, 0x54, 0x7E]),
        (Kind::Stdio, b"Hi\n", &[0x7E, 0x48, 0x69, 0x0A, 0x7E]),
        (Kind::Hello, &[0x04, 0x00], &[0x7E, 0x7D, 0x21, 0x04, 0x00, 0x7E]),
        (Kind::Hello, &[0x07, 0xD0], &[0x7E, 0x7D, 0x21, 0x07, 0xD0, 0x7E]),
        (
            Kind::HelloReply,
            &[0x04, 0x00],
            &[0x7E, 0x7D, 0x22, 0x04, 0x00, 0x7E],
        ),
        (
            Kind::HelloReply,
            &[0x7D, 0x7E],
            &[0x7E, 0x7D, 0x22, 0x7D, 0x5D, 0x7D, 0x5E, 0x7E],
        ),
        (
            Kind::Command,
            b"verify",
            &[0x7E, 0x7D, 0x23, 0x76, 0x65, 0x72, 0x69, 0x66, 0x79, 0x7E],
        ),
        (
            Kind::Command,
            b"OKAY\t 0xf000",
            &[
                0x7E, 0x7D, 0x23, 0x4F, 0x4B, 0x41, 0x59, 0x09, 0x20, 0x30, 0x78, 0x66, 0x30, 0x30, 0x30,
                0x7E,
            ],
        ),
        (
            Kind::Data,
            &[0x01, 0x00, 0x64, 0xAA, 0x7E, 0x7D, 0x00, 0xFF],
            &[
                0x7E, 0x7D, 0x24, 0x01, 0x00, 0x64, 0xAA, 0x7D, 0x5E, 0x7D, 0x5D, 0x00, 0xFF, 0x7E,
            ],
        ),
        (Kind::HeartBeat, b"H", &[0x7E, 0x7D, 0x25, 0x48, 0x7E]),
    ];
    for (kind, payload, wire) in examples {
        let mut encoded = Vec::new();
        encode(kind, payload, &mut encoded);
        assert_eq!(encoded, wire, "{kind:?}");
        assert_eq!(decode(wire), one(kind, payload), "{kind:?}");
    }
}

#[test]
fn ignores_empty_frames_and_extra_delimiters() {
    assert_eq!(
        decode(b"~~~\x7d#OKAY~~~~~\x7d#FAIL~~"),
        [
            (Kind::Command, b"OKAY".to_vec()),
            (Kind::Command, b"FAIL".to_vec())
        ]
    );
}

#[test]
fn forgets_the_kind_of_an_empty_frame() {
    assert_eq!(decode(b"~\x7d#~log~"), one(Kind::Stdio, b"log"));
}

#[test]
fn takes_no_shared_delimiter() {
    assert_eq!(decode(b"~aaa~bbb~"), one(Kind::Stdio, b"aaa"));
}

#[test]
fn sets_the_kind_anywhere_and_the_last_wins() {
    assert_eq!(decode(b"~OK\x7d$AY\x7d#~"), one(Kind::Command, b"OKAY"));
    assert_eq!(decode(b"~\x7d#\x7d \x7d\x24x~"), one(Kind::Data, b"x"));
}

#[test]
fn swallows_unknown_escapes() {
    assert_eq!(decode(b"~\x7d#O\x7dzKA\x7d&Y~"), one(Kind::Command, b"OKAY"));
    assert_eq!(decode(b"~\x7d#O\x7d~KAY~"), one(Kind::Command, b"OKAY"));
}

#[test]
fn drops_a_frame_beyond_the_mtu_and_recovers() {
    for (size, kept) in [(1024, true), (1025, false), (5000, false)] {
        let mut stream = Vec::new();
        encode(Kind::Stdio, &vec![b'x'; size], &mut stream);
        encode(Kind::Command, b"OKAY", &mut stream);
        let frames = decode(&stream);
        assert_eq!(frames.len(), 1 + usize::from(kept), "{size}");
        assert_eq!(frames.last(), one(Kind::Command, b"OKAY").last(), "{size}");
    }
    let mut decoder = Decoder::new();
    decoder.set_mtu(4);
    assert_eq!(
        decode_with(&mut decoder, b"~\x7d#OKAY~~\x7d#OKAY1~"),
        one(Kind::Command, b"OKAY")
    );
}

#[test]
fn cuts_downloads_into_frames_of_the_mtu() {
    let mut wire = Vec::new();
    let mut frames = DataFrames::new(4);
    frames.push(b"abc", &mut wire);
    frames.push(b"", &mut wire);
    frames.push(b"~efghi", &mut wire);
    frames.finish(&mut wire);
    frames.finish(&mut wire);
    assert_eq!(wire, b"~\x7d$abc\x7d\x5e~~\x7d$efgh~~\x7d$i~");
}

fn any_kind() -> impl Strategy<Value = Kind> {
    (0..Kind::ALL.len()).prop_map(|number| Kind::ALL[number])
}

/// Bytes of which many are special.
fn spicy(size: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    let spice = |byte: u8| match byte {
        0..32 => 0x7E,
        32..64 => 0x7D,
        64..96 => 0x20 + byte % 6,
        plain => plain.wrapping_mul(181),
    };
    vec(any::<u8>(), size).prop_map(move |bytes| bytes.into_iter().map(spice).collect())
}

proptest! {
    #[test]
    fn decode_undoes_encode(frames in vec((any_kind(), spicy(1..300)), 1..8)) {
        let mut wire = Vec::new();
        frames.iter().for_each(|(kind, payload)| encode(*kind, payload, &mut wire));
        prop_assert_eq!(decode(&wire), frames);
    }

    #[test]
    fn any_split_gives_the_same_frames(stream in spicy(0..600), cuts in vec(0usize..600, 0..12), mtu in 1usize..64) {
        let decoder = || {
            let mut decoder = Decoder::new();
            decoder.set_mtu(mtu);
            decoder
        };
        let whole = decode_with(&mut decoder(), &stream);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut split = decoder();
        let parts = cuts.windows(2).flat_map(|cut| decode_with(&mut split, &stream[cut[0]..cut[1]]));
        prop_assert_eq!(parts.collect::<Decoded>(), whole);
    }

    #[test]
    fn any_garbage_before_costs_at_most_one_frame(garbage in spicy(0..300), payload in spicy(1..100)) {
        let mut stream = garbage;
        encode(Kind::Command, &payload, &mut stream);
        encode(Kind::Command, &payload, &mut stream);
        let frames = decode(&stream);
        prop_assert_eq!(frames.last(), Some(&(Kind::Command, payload)));
    }

    #[test]
    fn downloads_arrive_whole(bytes in spicy(0..1500), pieces in 1usize..400, mtu in 1usize..1200) {
        let mut wire = Vec::new();
        let mut frames = DataFrames::new(mtu);
        bytes.chunks(pieces).for_each(|piece| frames.push(piece, &mut wire));
        frames.finish(&mut wire);
        let mut decoder = Decoder::new();
        decoder.set_mtu(mtu);
        let decoded = decode_with(&mut decoder, &wire);
        prop_assert!(decoded.iter().all(|(kind, payload)| *kind == Kind::Data && payload.len() <= mtu));
        let joined: Vec<u8> = decoded.into_iter().flat_map(|(_, payload)| payload).collect();
        prop_assert_eq!(joined, bytes);
    }
}
