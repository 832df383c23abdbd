use super::*;
use crate::device::Status;

const RAISE_DTR: [u8; 8] = [0x21, 0x22, 3, 0, 0, 0, 0, 0];
const GET_DEVICE: [u8; 8] = [0x80, 6, 0, 1, 0, 0, 64, 0];

#[test]
fn shows_the_device_descriptor_of_its_id() {
    let mut module = Module::default();
    let mut device = device(&asr_download(), &mut module);
    let done = submit(&mut device, control(GET_DEVICE));
    let descriptor = [
        18, 1, 0, 2, 2, 0, 0, 64, 0xCC, 0x2E, 0x17, 0x30, 0x18, 0x03, 1, 0, 3, 1,
    ];
    assert_eq!(done[0].data, descriptor);
    let short = [0x80, 6, 0, 1, 0, 0, 8, 0];
    assert_eq!(submit(&mut device, control(short))[0].data, descriptor[..8]);
}

#[test]
fn refuses_what_it_does_not_know_and_strings_it_does_not_have() {
    let mut module = Module::default();
    let mut device = device(&asr_download(), &mut module);
    for setup in [
        [0x80, 6, 2, 3, 9, 4, 255, 0],
        [0xC0, 1, 0, 0, 0, 0, 4, 0],
        [0x01, 11, 1, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(
            submit(&mut device, control(setup))[0].status,
            Status::Stall,
            "{setup:02x?}"
        );
    }
}

#[test]
fn neither_speaks_nor_listens_before_dtr_where_that_is_needed() {
    let mut module = Module::default();
    module.says.extend(b"<");
    let mut device = device(&asr_download(), &mut module);
    assert_eq!(submit(&mut device, into(1, 0x81, 512)), []);
    assert_eq!(submit(&mut device, out(2, 0x02, b"UUUU")), []);
    let done = submit(&mut device, control(RAISE_DTR));
    let ids: Vec<u64> = done.iter().map(|completion| completion.id).collect();
    assert_eq!(ids, [99, 2, 1]);
    assert_eq!(done[2].data, b"<");
    drop(device);
    assert_eq!(module.heard, b"UUUU");
}

#[test]
fn a_zero_length_packet_ends_what_is_whole_packets() {
    let mut module = Module::default();
    module.says.extend([7; 1024]);
    let mut device = device(&asr_download(), &mut module);
    submit(&mut device, control(RAISE_DTR));
    let lengths: Vec<usize> = (1..=3)
        .flat_map(|id| submit(&mut device, into(id, 0x81, 512)))
        .map(|completion| completion.actual)
        .collect();
    assert_eq!(lengths, [512, 512, 0]);
    assert_eq!(
        submit(&mut device, into(4, 0x81, 512)),
        [],
        "silence is no packet"
    );
}

#[test]
fn a_transfer_with_room_for_more_ends_with_the_last_packet() {
    let mut module = Module::default();
    module.says.extend([7; 512]);
    let mut device = device(&asr_download(), &mut module);
    submit(&mut device, control(RAISE_DTR));
    assert_eq!(submit(&mut device, into(1, 0x81, 4096))[0].actual, 512);
    assert_eq!(submit(&mut device, into(2, 0x81, 4096)), []);
}

#[test]
fn a_packet_that_has_no_room_is_babble() {
    let mut module = Module::default();
    module.says.extend([7; 512]);
    let mut device = device(&asr_download(), &mut module);
    submit(&mut device, control(RAISE_DTR));
    assert_eq!(submit(&mut device, into(1, 0x81, 100))[0].status, Status::Babble);
}

#[test]
fn sees_whole_packets_only_when_a_block_is_full_or_a_short_packet_ends_them() {
    let mut module = Module::default();
    let mut device = device(&uis8850_download(), &mut module);
    let heard =
        |device: &mut Device<&mut Module>| device.wants().map(|(fifo, ..)| fifo.heard.len()).sum::<usize>();
    assert_eq!(
        submit(&mut device, out(1, 0x01, &[1; 1024]))[0].status,
        Status::Done
    );
    assert_eq!(heard(&mut device), 0);
    submit(&mut device, out(2, 0x01, &[0x7E]));
    assert_eq!(heard(&mut device), 1025);
    submit(&mut device, out(3, 0x01, &[1; 2048]));
    assert_eq!(heard(&mut device), 1025 + 2048);
    submit(&mut device, out(4, 0x01, &[1; 512]));
    assert_eq!(heard(&mut device), 1025 + 2048);
    submit(&mut device, out(5, 0x01, &[]));
    assert_eq!(
        heard(&mut device),
        1025 + 2048 + 512,
        "a zero-length packet is a short one"
    );
}

#[test]
fn replies_in_pieces_where_the_loader_does() {
    let mut module = Module::default();
    module.says.extend([7; 300]);
    let mut device = device(&uis8850_download(), &mut module);
    let lengths: Vec<usize> = (1..=3)
        .flat_map(|id| submit(&mut device, into(id, 0x81, 16384)))
        .map(|completion| completion.actual)
        .collect();
    assert_eq!(lengths, [128, 128, 44]);
}

#[test]
fn a_module_that_takes_nothing_lets_the_host_wait() {
    let mut module = Module {
        is_deaf: true,
        ..Module::default()
    };
    let mut device = device(&uis8850_download(), &mut module);
    assert_eq!(
        submit(&mut device, out(1, 0x01, b"a")).len(),
        1,
        "the receiver has room for one transfer"
    );
    assert_eq!(submit(&mut device, out(2, 0x01, b"b")), []);
    assert!(device.cancel(2));
    assert!(!device.cancel(2));
    assert_eq!(device.take_done()[0].status, Status::Cancelled);
}

#[test]
fn a_halted_endpoint_stalls_until_it_is_cleared() {
    let mut module = Module::default();
    let mut device = device(&uis8850_download(), &mut module);
    submit(&mut device, control([0x02, 3, 0, 0, 0x01, 0, 0, 0]));
    assert_eq!(submit(&mut device, out(1, 0x01, b"a"))[0].status, Status::Stall);
    assert_eq!(
        submit(&mut device, control([0x82, 0, 0, 0, 0x01, 0, 2, 0]))[0].data,
        [1, 0]
    );
    submit(&mut device, control([0x02, 1, 0, 0, 0x01, 0, 0, 0]));
    assert_eq!(submit(&mut device, out(2, 0x01, b"a"))[0].status, Status::Done);
}

#[test]
fn keeps_the_line_coding() {
    let mut module = Module::default();
    let mut device = device(&asr_download(), &mut module);
    let coding = [0x00, 0x84, 0x03, 0x00, 0, 0, 8];
    let set = Transfer {
        data: coding.to_vec(),
        ..control([0x21, 0x20, 0, 0, 0, 0, 7, 0])
    };
    submit(&mut device, set);
    assert_eq!(
        submit(&mut device, control([0xA1, 0x21, 0, 0, 0, 0, 7, 0]))[0].data,
        coding
    );
}
