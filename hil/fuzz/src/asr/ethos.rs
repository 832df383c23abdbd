//! A session against a module that greets as the ASR1601 mask ROM and then says what it likes, in frames or not: it
//! always ends, sends a bounded amount, and has written nothing. And any stream, cut anywhere, gives the same frames.

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use qpyflash_protocols::Written;
use qpyflash_protocols::asr::ethos::{Kind, LARGEST_FRAME, packet};
use qpyflash_protocols::asr::smux::{Decoder, encode};
use qpyflash_protocols::asr::{Options, Plan, write};

use super::package::helper;
use crate::pipe::{Peer, Pipe};
use crate::read;

const MODULE: [u8; 6] = [0x02, 0xE3, 0x96, 0x6C, 0x7C, 0x41];
const HOST: [u8; 6] = [0x02, 0x00, 0x23, 0x51, 0x50, 0x59];

/// What the module says after the host has spoken.
#[derive(Arbitrary, Debug)]
enum Turn<'f> {
    Noise(&'f [u8]),
    Frame(u8, &'f [u8]),
    /// An IPv6 packet to the host; UDP without a check sum comes through.
    Packet(u8, &'f [u8]),
    Udp(&'f [u8]),
}

fn local([a, b, c, d, e, f]: [u8; 6]) -> [u8; 16] {
    [0xFE, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xFF, 0xFE, d, e, f]
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    let head = [
        &HOST[..],
        &MODULE,
        &[0x86, 0xDD, 0x60, 0, 0, 0],
        &length,
        &[next, 255],
    ]
    .concat();
    [&head[..], &local(MODULE), &local(HOST), payload].concat()
}

fn bytes(turn: &Turn<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    match turn {
        Turn::Noise(noise) => bytes.extend_from_slice(noise),
        Turn::Frame(kind, payload) => encode(Kind::ALL[usize::from(kind % 6)], payload, &mut bytes),
        Turn::Packet(next, payload) => encode(Kind::Ethernet, &ipv6(*next, payload), &mut bytes),
        Turn::Udp(data) => {
            let length = (8 + data.len() as u16).to_be_bytes();
            let udp = [&[0x15, 0xB2, 0xEA, 0x61], &length[..], &[0, 0], data].concat();
            encode(Kind::Ethernet, &ipv6(17, &udp), &mut bytes);
        }
    }
    bytes
}

struct Module<'f> {
    turns: std::vec::IntoIter<Turn<'f>>,
}

impl Peer for Module<'_> {
    // The preamble for ten seconds, and each packet four times for twelve.
    const LONGEST: Duration = Duration::from_secs(120);
    const MOST_SENT: usize = 1 << 16;

    fn hear(&mut self, sent: &[u8], words: &mut Vec<u8>) -> bool {
        match sent {
            b"UUUU~" => words.extend(b"~UUUU~"),
            [0x7E, 0x7D, 0x22, ..] => encode(Kind::HelloReply, &MODULE, words),
            _ => {}
        }
        if let Some(turn) = self.turns.next() {
            words.extend(bytes(&turn));
        }
        true
    }
}

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let json =
        br#"[{"command":"require","name":"product","value":"arom"},{"command":"call","image":"helper"},
        {"command":"erase","partition":"a"}]"#;
    let mut member = |_: &str| Some(helper().into());
    Plan::from_download_json(json, &mut member).expect("a good package")
});

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<(&[u8], u8, Vec<Turn>)>(bytes) else {
        return;
    };
    let (stream, piece, turns) = input;
    let decode = |size: usize| {
        let mut decoder = Decoder::<Kind>::with_mtu(LARGEST_FRAME);
        let mut frames = Vec::new();
        for mut part in stream.chunks(size) {
            while let Some(frame) = decoder.next(&mut part) {
                frames.push((frame.kind, frame.payload.to_vec()));
            }
        }
        frames
    };
    assert_eq!(decode(stream.len().max(1)), decode(usize::from(piece).max(1)));
    let _ = packet::parse(stream);
    let mut module = Pipe::to(Module {
        turns: turns.into_iter(),
    });
    if let Err(failure) = write(&mut module, &PLAN, &Options::default()) {
        assert!(!matches!(failure.written, Written::Complete));
    }
}
