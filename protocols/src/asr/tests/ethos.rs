//! ETHOS: the worked bytes, whole runs in all weathers, and refusals. Source: specs/asr-aboot.md §3.7.

use std::time::Duration;

use proptest::prelude::*;

use super::ethos_module::EthosModule;
use super::*;
use crate::asr::ethos::{Kind, Stack};
use crate::asr::smux::{self, Decoder};
use crate::asr::{After, ethos, sparse};
use crate::{Cause, Phase, Progress, Wire, WireError, Written};

const HOST: ethos::Mac = [0x00, 0x00, 0x23, 0x48, 0xBE, 0x18];
const MODULE: ethos::Mac = [0x02, 0xE3, 0x96, 0x6C, 0x7C, 0x41];

/// The frames that the vendor's host has sent, in order, without their delimiters.
fn recorded() -> Vec<Vec<u8>> {
    let log = String::from_utf8(vector("host-logs/ethos_full.log")).expect("text");
    let raw = log.lines().filter_map(|line| line.split_once("RAW< "));
    raw.filter_map(|(_, rest)| rest.split_once(' '))
        .map(|(_, hex)| {
            let digits = hex.trim().as_bytes().chunks(2);
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
            digits.map(|pair| byte(pair).expect("hex")).collect()
        })
        .collect()
}

fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    smux::encode(kind, payload, &mut bytes);
    bytes
}

fn unframed(mut bytes: &[u8]) -> (Kind, Vec<u8>) {
    let mut decoder = Decoder::<Kind>::with_mtu(ethos::LARGEST_FRAME);
    let frame = decoder.next(&mut bytes).expect("a frame");
    (frame.kind, frame.payload.to_vec())
}

/// The stack of the vendor's host, which sends what the recorded host has sent.
#[test]
fn the_stack_sends_the_recorded_bytes() {
    let recorded = recorded();
    let sent = |begins: &str| {
        let is_it = |bytes: &&Vec<u8>| bytes.windows(begins.len()).any(|part| part == begins.as_bytes());
        recorded.iter().find(is_it).expect("it was recorded").clone()
    };
    let ends = |tail: &[u8]| {
        let tail = [tail, &[0x7E]].concat();
        recorded
            .iter()
            .find(|bytes| bytes.ends_with(&tail))
            .expect("it was recorded")
            .clone()
    };
    let mut stack = Stack::new(HOST, MODULE, Duration::ZERO);
    let said = |stack: &mut Stack| stack.outgoing().map(|bytes| frame(Kind::Ethernet, &bytes));
    stack.send(&[1, 0, 0, 0], Duration::ZERO);
    let solicitation = said(&mut stack).expect("a solicitation");
    assert_eq!(
        &solicitation,
        &recorded
            .iter()
            .find(|bytes| bytes.starts_with(b"~\x33\x33\xff"))
            .expect("recorded")[..]
    );
    assert_eq!(said(&mut stack), None);

    let advertisement = "00002348be1802e3966c7c4186dd6000000000203afffe8000000000000000e396fffe6c7c41fe80000000000000\
        020023fffe48be188800fd0c60000000fe8000000000000000e396fffe6c7c41020102e3966c7c41";
    let bytes: Vec<u8> = (0..advertisement.len() / 2)
        .map(|at| u8::from_str_radix(&advertisement[2 * at..2 * at + 2], 16).expect("hex"))
        .collect();
    stack.hear(&bytes, Duration::from_secs(1));
    assert_eq!(
        said(&mut stack).expect("the query"),
        ends(&[0x0C, 0xCF, 1, 0, 0, 0])
    );
    let later = Duration::from_secs(2);
    stack.send(&[2, 0, 0x12, 0x34, 0, 1, 0x20, 0], later);
    assert_eq!(
        said(&mut stack).expect("init"),
        ends(&[2, 0, 0x12, 0x34, 0, 1, 0x20, 0])
    );
    stack.send(b"\x03\x00\x12\x35getvar:version-bootrom", later);
    assert_eq!(
        said(&mut stack).expect("a command"),
        sent("getvar:version-bootrom")
    );
}

/// Every packet that the log holds whole (it cuts long ones) comes out of our framing as it was.
#[test]
fn every_recorded_packet_is_framed_the_same() {
    let mut packets = 0;
    let whole = |bytes: &&Vec<u8>| bytes.starts_with(b"~\x02\xe3") && bytes.ends_with(b"~");
    for bytes in recorded().iter().filter(whole) {
        let (kind, payload) = unframed(bytes);
        assert_eq!((kind, &frame(kind, &payload)), (Kind::Ethernet, bytes));
        packets += 1;
    }
    assert!(packets > 60, "{packets}");
    let text = b"\x03\x80\x12\xcddata-request:00012044";
    assert!(recorded().contains(&frame(Kind::Text, text)));
    assert!(recorded().contains(&frame(Kind::Hello, &HOST)));
    assert_eq!(
        unframed(b"~\x7d#\x02\xe3\x96\x6c\x7c\x41~"),
        (Kind::HelloReply, MODULE.to_vec())
    );
}

fn images() -> Plan {
    let noise: Vec<u8> = (0..700_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    Maker::sdk()
        .flash("app.bin", "user_app", &noise[..300_000])
        .flash("fs.bin", "user_fs", &noise)
        .plan()
        .expect("a good package")
}

fn run_ethos(module: &mut EthosModule) -> Result<Report, Failure> {
    write(module, &images(), &Options::default())
}

/// What the same plan hands a module over SMUX.
fn over_smux() -> Module {
    let mut module = Module::new();
    run(&mut module, &images()).expect("a good run");
    module
}

fn assert_same(module: &EthosModule) {
    let smux = over_smux();
    assert_eq!(module.inner.commands(), smux.commands());
    assert!(
        module.inner.downloads() == smux.downloads(),
        "the downloads differ"
    );
}

#[test]
fn says_and_loads_the_same_as_over_smux() {
    let mut module = EthosModule::new(Module::new());
    let report = run_ethos(&mut module).expect("a good run");
    assert_eq!(report.written, Written::Complete);
    assert_same(&module);
    assert!(
        module.advertised > 0,
        "the module's solicitation was not answered"
    );
    assert!(module.packets.iter().all(|packet| packet.len() <= 1452));
    assert!(module.packets.iter().any(|packet| packet.len() == 1452));
    let flags: Vec<u8> = module.texts.iter().map(|text| text[1]).collect();
    assert!(flags.contains(&0x81) && flags.contains(&0x80), "{flags:02X?}");
    assert!(module.now() < Duration::from_secs(60), "{:?}", module.now());
}

#[test]
fn completes_in_all_weathers() {
    for (loses_every, doubles_every) in [(50, 0), (0, 50), (50, 33), (7, 3), (0, 1)] {
        let mut module = EthosModule::new(Module::new()).with(|quirks| {
            (quirks.loses_every, quirks.doubles_every) = (loses_every, doubles_every);
        });
        let report = run_ethos(&mut module)
            .unwrap_or_else(|failure| panic!("{loses_every} {doubles_every}: {failure}"));
        assert_eq!(report.written, Written::Complete);
        assert_same(&module);
    }
}

#[test]
fn keeps_to_the_size_the_module_names_and_never_above_1452() {
    for (theirs, ours) in [
        (512, 512),
        (1024, 1024),
        (1472, 1452),
        (2048, 1452),
        (0xFFFF, 1452),
    ] {
        let mut module = EthosModule::new(Module::new()).with(|quirks| quirks.largest_packet = theirs);
        run_ethos(&mut module).expect("a good run");
        let largest = module.packets.iter().map(Vec::len).max();
        assert_eq!(largest, Some(ours));
        assert_same(&module);
    }
    let mut module = EthosModule::new(Module::new()).with(|quirks| quirks.largest_packet = 511);
    let failure = run_ethos(&mut module).expect_err("too small");
    assert!(matches!(failure.cause, Cause::Malformed { .. }), "{failure}");
    assert_eq!(failure.written, Written::Nothing);
}

/// Source: specs/asr-aboot.md §3.7: after 3 s, three times.
#[test]
fn sends_an_unanswered_packet_four_times_in_twelve_seconds() {
    let answered = 10;
    let mut module = EthosModule::new(Module::new()).with(|quirks| quirks.deaf_after = Some(answered));
    let failure = run_ethos(&mut module).expect_err("silence");
    let Cause::Silent { waited, tries, .. } = failure.cause else {
        panic!("{failure}")
    };
    assert!(
        tries == 4 && waited <= Duration::from_millis(12_200),
        "{tries} tries in {waited:?}"
    );
    let unanswered = &module.packets[answered..];
    assert_eq!(unanswered.len(), 4);
    assert!(unanswered.iter().all(|packet| *packet == unanswered[0]));
    assert_eq!(failure.written, Written::Nothing);
}

#[test]
fn a_status_in_an_acknowledgement_answers_nothing() {
    let mut module = EthosModule::new(Module::new()).with(|quirks| quirks.out_of_turn = true);
    let failure = run_ethos(&mut module).expect_err("out of turn");
    assert!(
        matches!(&failure.cause, Cause::Malformed { answer, .. } if answer == "`OKAY`"),
        "{failure}"
    );
}

#[test]
fn an_error_packet_is_a_refusal() {
    let mut module = EthosModule::new(Module::new()).with(|quirks| quirks.errs = true);
    let failure = run_ethos(&mut module).expect_err("an error");
    assert!(
        matches!(&failure.cause, Cause::Refused { answer, .. } if answer.contains("out of memory")),
        "{failure}"
    );
    assert_eq!(module.inner.commands(), [""; 0]);
}

#[test]
fn a_fail_to_any_command_ends_the_run_and_long_work_is_polled_for() {
    let refuse = || Instead::Say(vec!["INFOflash write failure", "FAILwrote partition failed"]);
    let mut module = EthosModule::new(Module::new().on("flash:", 1, refuse()));
    let failure = run_ethos(&mut module).expect_err("a FAIL");
    assert!(matches!(failure.cause, Cause::Refused { .. }), "{failure}");
    assert!(matches!(failure.written, Written::Partial { .. }));
    assert_eq!(
        (failure.phase, module.inner.commands().last()),
        (Phase::Write, Some(&"flash:user_app"))
    );

    let long = Duration::from_secs(200);
    let mut module = EthosModule::new(Module::new().on("call", 1, Instead::Late(long)));
    run_ethos(&mut module).expect("a slow helper");
    let polls = module.packets.iter().filter(|packet| packet.len() == 4).count();
    assert!((100..20_000).contains(&polls), "{polls} polls");
}

#[test]
fn a_silent_module_never_hangs_a_run() {
    for command in ["getvar:version-bootrom", "call", "flash:", "complete"] {
        let mut module = EthosModule::new(Module::new().on(command, 1, Instead::Mute));
        let options = Options {
            after: After::Stay,
            ..Options::default()
        };
        let failure = write(&mut module, &images(), &options).expect_err("silence");
        assert!(
            matches!(failure.cause, Cause::Silent { .. }),
            "{command}: {failure}"
        );
        assert!(
            module.now() < Duration::from_secs(1000),
            "{command}: {:?}",
            module.now()
        );
    }
}

/// A module that greets as one that speaks ETHOS, and then says what it likes.
struct Babbler {
    now: Duration,
    words: Vec<u8>,
    turns: std::vec::IntoIter<Vec<u8>>,
    sent: usize,
}

impl Wire for Babbler {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.sent += bytes.len();
        match bytes {
            b"UUUU~" => self.words.extend(b"~UUUU~"),
            [0x7E, 0x7D, 0x22, ..] => self.words.extend(frame(Kind::HelloReply, &MODULE)),
            _ => {}
        }
        self.words.extend(self.turns.next().unwrap_or_default());
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        let count = self.words.len().min(into.len());
        self.now += if count == 0 {
            within
        } else {
            Duration::from_micros(10)
        };
        into[..count].copy_from_slice(&self.words[..count]);
        self.words.drain(..count);
        Ok(count)
    }

    fn set_baud(&mut self, _: u32) -> Result<(), WireError> {
        Ok(())
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.now += how_long;
        Ok(())
    }

    fn report(&mut self, _: Progress<'_>) {}
}

/// An Ethernet frame to us whose headers are right or nearly so.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let next = prop_oneof![Just(17u8), Just(58), Just(0), any::<u8>()];
    let payload = proptest::collection::vec(any::<u8>(), 0..80);
    (next, payload, any::<Option<u16>>()).prop_map(|(next, payload, length)| {
        let us = [0x02, 0x00, 0x23, 0x51, 0x50, 0x59];
        let local = |mac: [u8; 6]| {
            let [a, b, c, d, e, f] = mac;
            [0xFE, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xFF, 0xFE, d, e, f]
        };
        let length = length.unwrap_or(payload.len() as u16).to_be_bytes();
        let head = [
            &us[..],
            &MODULE,
            &[0x86, 0xDD, 0x60, 0, 0, 0],
            &length,
            &[next, 255],
        ]
        .concat();
        let bytes = [&head[..], &local(MODULE), &local(us), &payload].concat();
        frame(Kind::Ethernet, &bytes)
    })
}

proptest! {
    #[test]
    fn a_session_against_garbage_ends_and_writes_nothing(
        turns in proptest::collection::vec(
            prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), nearly()],
            0..60,
        ),
    ) {
        let mut wire = Babbler { now: Duration::ZERO, words: Vec::new(), turns: turns.into_iter(), sent: 0 };
        let failure = write(&mut wire, &hello(), &Options::default()).expect_err("garbage is no module");
        prop_assert_eq!(failure.written, Written::Nothing);
        prop_assert!(wire.now < Duration::from_secs(120), "{:?}", wire.now);
        prop_assert!(wire.sent < 1 << 16, "{} bytes sent", wire.sent);
    }
}

#[test]
fn only_sparse_images_go_raw() {
    let mut module = EthosModule::new(Module::new());
    run_ethos(&mut module).expect("a good run");
    let (sparse, plain): (Vec<&[u8]>, Vec<&[u8]>) = module
        .inner
        .downloads()
        .into_iter()
        .partition(|bytes| bytes.starts_with(&sparse::MAGIC));
    let announced =
        |text: &Vec<u8>| usize::from_str_radix(std::str::from_utf8(&text[17..]).expect("ASCII"), 16);
    let raw: usize = module
        .texts
        .iter()
        .map(|text| announced(text).expect("hex"))
        .sum();
    assert_eq!(raw, sparse.iter().map(|bytes| bytes.len()).sum::<usize>());
    let in_packets = module
        .packets
        .iter()
        .filter(|packet| packet[0] == 3 && packet.len() > 4);
    let commands: usize = module.inner.commands().iter().map(|text| text.len()).sum();
    let bytes: usize = in_packets.map(|packet| packet.len() - 4).sum();
    assert_eq!(
        bytes - commands,
        plain.iter().map(|bytes| bytes.len()).sum::<usize>()
    );
}
