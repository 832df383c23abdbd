use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use qpyflash_protocols::WireError;

use super::RawUsb;
use super::device::{Device, Fault};
use super::fake::Fake;
use super::function::{Endpoint, Function};
use crate::link::Pipe;

const ROM: (u16, u16) = (0x17d1, 0x0001);
const LONG: Duration = Duration::from_secs(60);

fn function(packet: usize) -> Function {
    Function {
        control: Some(0),
        data: 1,
        setting: 0,
        bulk_in: Endpoint {
            address: 0x81,
            packet,
        },
        bulk_out: Endpoint {
            address: 0x01,
            packet,
        },
    }
}

fn open(fake: &Arc<Fake>, packet: usize) -> RawUsb<Fake> {
    RawUsb::begin(fake.clone(), function(packet), ROM, 115_200).unwrap()
}

/// A CDC pair with its driver, as Linux has it.
fn driven() -> Arc<Fake> {
    let fake = Arc::new(Fake::default());
    fake.change(|state| {
        state.driven = [0, 1].into();
        state.paired = vec![0, 1];
    });
    fake
}

fn write_all(pipe: &mut impl Pipe, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let count = pipe.write(bytes, LONG).unwrap();
        bytes = &bytes[count..];
    }
}

fn read_to(pipe: &mut impl Pipe, count: usize, at_once: usize) -> Vec<u8> {
    let (mut all, mut some) = (Vec::new(), vec![0; at_once]);
    while all.len() < count {
        let got = pipe.read(&mut some, LONG).unwrap();
        assert!(got > 0, "the time was up after {} of {count} bytes", all.len());
        all.extend(&some[..got]);
    }
    all
}

/// The error that ends reading.
fn read_error(pipe: &mut impl Pipe) -> WireError {
    loop {
        match pipe.read(&mut [0; 64], LONG) {
            Err(error) => return error,
            Ok(count) => assert!(count > 0, "the time was up"),
        }
    }
}

#[test]
fn both_interfaces_of_a_pair_are_taken_and_given_back() {
    let fake = driven();
    let mut raw = open(&fake, 512);
    assert_eq!(fake.state().claimed, [0, 1].into());
    assert!(fake.state().driven.is_empty());
    assert_eq!(raw.close(), Vec::<String>::new());
    assert!(fake.state().claimed.is_empty());
    assert_eq!(fake.state().driven, [0, 1].into());
}

#[test]
fn a_driver_that_was_not_there_is_not_called() {
    let fake = Arc::new(Fake::default());
    drop(open(&fake, 512));
    assert!(fake.state().driven.is_empty() && fake.state().claimed.is_empty());
}

#[test]
fn a_driver_that_does_not_come_back_is_told_of_unless_the_module_has_left() {
    let fake = driven();
    let mut raw = open(&fake, 512);
    fake.change(|state| state.stubborn = vec![(0, Fault::Busy), (1, Fault::Busy)]);
    let notes = raw.close();
    assert!(notes.len() == 2 && notes[0].contains("interface 0"), "{notes:?}");
    let fake = driven();
    let mut raw = open(&fake, 512);
    fake.change(|state| {
        state.stubborn = vec![(0, Fault::Failed("gone".into()))];
        state.has_left = true;
    });
    assert_eq!(raw.close(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_had_whole_is_not_kept_in_part() {
    for (foreign, stubborn, expected) in [
        (Some(1), None, Fault::Busy),
        (None, Some((1, Fault::Unsupported)), Fault::Busy),
        (None, Some((1, Fault::Denied)), Fault::Denied),
    ] {
        let fake = Arc::new(Fake::default());
        fake.change(|state| {
            state.foreign.extend(foreign);
            state.driven = [0, 1]
                .iter()
                .copied()
                .filter(|number| Some(*number) != foreign)
                .collect();
            state.stubborn.extend(stubborn);
        });
        let before = fake.state().driven.clone();
        let error = RawUsb::begin(fake.clone(), function(512), ROM, 115_200).err();
        assert_eq!(error, Some(expected));
        assert!(fake.state().claimed.is_empty());
        assert_eq!(fake.state().driven, before);
    }
}

#[test]
fn a_refused_greeting_is_no_obstacle_and_a_module_that_leaves_is() {
    let fake = Arc::new(Fake::default());
    fake.change(|state| state.refuses = Some(Fault::Stalled));
    drop(open(&fake, 512));
    assert_eq!(fake.state().requests.len(), 2);
    fake.change(|state| state.refuses = Some(Fault::Gone));
    let error = RawUsb::begin(fake, function(512), ROM, 115_200).err();
    assert_eq!(error, Some(Fault::Gone));
}

#[test]
fn a_packet_without_bytes_is_neither_an_answer_nor_the_end() {
    let fake = Arc::new(Fake::default());
    fake.change(|state| {
        state
            .says
            .extend([Ok(vec![]), Ok(vec![1; 512]), Ok(vec![]), Ok(vec![2])])
    });
    let mut raw = open(&fake, 512);
    let heard = read_to(&mut raw, 513, 4096);
    assert_eq!(heard, [vec![1; 512], vec![2]].concat());
    assert_eq!(raw.read(&mut [0; 8], Duration::ZERO), Ok(0));
}

#[test]
fn what_was_not_asked_for_is_kept() {
    let fake = Arc::new(Fake::default());
    fake.change(|state| state.says.push_back(Ok((0..=255).collect())));
    let mut raw = open(&fake, 64);
    assert_eq!(read_to(&mut raw, 256, 7), (0..=255).collect::<Vec<u8>>());
}

#[test]
fn a_stall_is_forgiven_once() {
    let fake = Arc::new(Fake::default());
    fake.change(|state| {
        state.says.extend([
            Err(Fault::Stalled),
            Ok(vec![1]),
            Err(Fault::Stalled),
            Err(Fault::Stalled),
        ])
    });
    let mut raw = open(&fake, 512);
    assert_eq!(read_to(&mut raw, 1, 64), [1]);
    let error = read_error(&mut raw);
    assert!(
        matches!(&error, WireError::Failed(why) if why.contains("0x81")),
        "{error}"
    );
    assert_eq!(fake.state().halts_cleared, [0x81, 0x81, 0x81]);
}

#[test]
fn what_was_not_taken_before_a_stall_is_sent_again_once() {
    let fake = Arc::new(Fake::default());
    fake.change(|state| state.takes.push_back((64, Err(Fault::Stalled))));
    let mut raw = open(&fake, 64);
    let bytes: Vec<u8> = (0..200).collect();
    write_all(&mut raw, &bytes);
    assert_eq!(fake.heard(200), [&bytes[..64], &bytes[64..]]);
    fake.change(|state| {
        let stalls = [64, 0].map(|taken| (taken, Err(Fault::Stalled)));
        state.takes.extend(stalls);
    });
    write_all(&mut raw, &bytes);
    assert!(matches!(read_error(&mut raw), WireError::Failed(_)));
    assert_eq!(fake.heard(264).concat(), [&bytes[..], &bytes[..64]].concat());
    assert_eq!(fake.state().halts_cleared, [0x01, 0x01, 0x01]);
}

#[test]
fn a_module_that_leaves_is_gone_for_reader_and_writer() {
    for how in [Fault::Gone, Fault::Failed("input/output error".into())] {
        let fake = Arc::new(Fake::default());
        let mut raw = open(&fake, 512);
        fake.change(|state| state.says.extend([Ok(vec![9]), Err(how.clone())]));
        assert_eq!(read_to(&mut raw, 1, 64), [9]);
        let left = how == Fault::Gone;
        let error = read_error(&mut raw);
        assert_eq!(error == WireError::Gone, left, "{error}");
        assert!(!error.to_string().contains("rror 5"), "{error}");
        assert_eq!(raw.write(&[1], LONG), Err(error));
    }
    let fake = Arc::new(Fake::default());
    let mut raw = open(&fake, 512);
    fake.change(|state| {
        state.has_left = true;
        state
            .says
            .push_back(Err(Fault::Failed("input/output error".into())));
    });
    assert_eq!(read_error(&mut raw), WireError::Gone);
    assert_eq!(Fault::Failed("x".into()).into_wire(&*fake, 0x81), WireError::Gone);
}

#[test]
fn bytes_that_are_lost_end_the_run() {
    let fake = Arc::new(Fake::default());
    fake.change(|state| state.says.push_back(Err(Fault::Overflow)));
    assert!(matches!(read_error(&mut open(&fake, 512)), WireError::Failed(_)));
}

#[test]
fn a_full_module_takes_nothing_within_the_time() {
    let fake = Arc::new(Fake::default());
    fake.change(|state| state.is_deaf = true);
    let mut raw = open(&fake, 64);
    assert_eq!(raw.write(&[1; 10], LONG), Ok(10));
    assert_eq!(raw.write(&[2; 10], LONG), Ok(10));
    assert_eq!(raw.write(&[3; 10], Duration::from_millis(1)), Ok(0));
    fake.change(|state| state.is_deaf = false);
    assert_eq!(raw.write(&[3; 10], LONG), Ok(10));
    assert_eq!(fake.heard(30), [vec![1; 10], vec![2; 10], vec![3; 10]]);
}

#[test]
fn what_was_taken_is_sent_before_the_end() {
    let fake = Arc::new(Fake::default());
    let mut raw = open(&fake, 64);
    write_all(&mut raw, b"AT+QDOWNLOAD=1\r\n");
    drop(raw);
    assert_eq!(fake.state().heard, [b"AT+QDOWNLOAD=1\r\n"]);
}

#[test]
fn a_speed_is_told_to_the_module() {
    let fake = Arc::new(Fake::default());
    let mut raw = open(&fake, 64);
    raw.set_baud(921_600).unwrap();
    let requests = &fake.state().requests;
    assert_eq!(
        requests.last().map(|it| (it.request, &it.data[..3])),
        Some((0x20, &[0x00, 0x10, 0x0E][..]))
    );
}

#[test]
fn another_setting_is_chosen_where_it_has_the_endpoints() {
    let fake = Arc::new(Fake::default());
    let function = Function {
        setting: 1,
        ..function(512)
    };
    drop(RawUsb::begin(fake.clone(), function, ROM, 115_200));
    assert_eq!(fake.state().settings, [(0, 0), (1, 1)]);
    assert!(fake.is_there());
}

proptest! {
    /// Whatever is written, in whatever pieces, and however much the module takes at once: it hears every byte once,
    /// in order, and a transfer ends in a short packet only where a write ended.
    #[test]
    fn every_byte_is_sent_once_and_in_order(
        writes in prop::collection::vec(1_usize..40_000, 1..6),
        packet in prop::sample::select(vec![64_usize, 512]),
        takes in prop::collection::vec(1_usize..40, 0..8),
    ) {
        let fake = Arc::new(Fake::default());
        fake.change(|state| state.takes.extend(takes.iter().map(|packets| (packets * packet, Ok(())))));
        let mut raw = open(&fake, packet);
        let mut all = Vec::new();
        let mut ends = vec![0];
        for length in writes {
            let bytes: Vec<u8> = (all.len()..all.len() + length).map(|number| (number % 251) as u8).collect();
            write_all(&mut raw, &bytes);
            all.extend(bytes);
            ends.push(all.len());
        }
        let heard = fake.heard(all.len());
        drop(raw);
        prop_assert_eq!(heard.concat(), all);
        let mut sent = 0;
        for transfer in heard {
            sent += transfer.len();
            prop_assert!(transfer.len() <= 16 * 1024);
            prop_assert!(transfer.len().is_multiple_of(packet) || ends.contains(&sent));
        }
    }

    /// However the module cuts what it says into transfers, and however little is asked for: every byte comes once,
    /// in order.
    #[test]
    fn every_byte_is_received_once_and_in_order(
        transfers in prop::collection::vec(0_usize..20_000, 1..8),
        at_once in 1_usize..5000,
    ) {
        let fake = Arc::new(Fake::default());
        let total: usize = transfers.iter().sum();
        let all: Vec<u8> = (0..total).map(|number| (number % 251) as u8).collect();
        let mut rest = &all[..];
        fake.change(|state| for length in &transfers {
            let (transfer, after) = rest.split_at(*length);
            state.says.push_back(Ok(transfer.to_vec()));
            rest = after;
        });
        prop_assert_eq!(read_to(&mut open(&fake, 512), total, at_once), all);
    }
}
