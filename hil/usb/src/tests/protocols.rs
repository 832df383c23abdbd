use super::*;
use crate::host::{Command, Incoming, Protocol};
use crate::redir::{Redir, hello};
use crate::usbip::UsbIp;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The next command, when the bytes arrive one by one; how many were needed.
fn drip(protocol: &mut impl Protocol, bytes: &[u8], out: &mut Vec<u8>) -> (Option<Command>, usize) {
    let mut incoming = Incoming::default();
    for (place, byte) in bytes.iter().enumerate() {
        incoming.extend(&[*byte]);
        if let Some(command) = protocol.next(&mut incoming, out).unwrap() {
            return (Some(command), place + 1);
        }
    }
    (None, bytes.len())
}

#[test]
fn usbip_submits_an_urb_once_all_of_it_is_there() {
    let mut bytes = words(&[1, 7, 0x10002, 0, 2, 0x40, 512, 0, 0, 0, 0, 0]);
    bytes.extend([0x55; 512]);
    let (command, needed) = drip(&mut UsbIp, &bytes, &mut Vec::new());
    let Some(Command::Submit(transfer)) = command else {
        panic!("{command:?}")
    };
    assert_eq!(
        (transfer.id, transfer.endpoint, transfer.data.len()),
        (7, 0x02, 512)
    );
    assert!(transfer.ends_with_zero_packet);
    assert_eq!(needed, bytes.len());
}

#[test]
fn usbip_refuses_what_it_does_not_know() {
    let mut incoming = Incoming::default();
    incoming.extend(&words(&[9, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert!(UsbIp.next(&mut incoming, &mut Vec::new()).is_err());
    let mut incoming = Incoming::default();
    incoming.extend(&words(&[1, 7, 0, 0, 2, 0, u32::MAX, 0, 0, 0, 0, 0]));
    assert!(UsbIp.next(&mut incoming, &mut Vec::new()).is_err());
}

#[test]
fn usbip_answers_an_unlinked_urb_once() {
    let mut module = Module::default();
    let mut device = device(&asr_download(), &mut module);
    device.submit(into(7, 0x81, 512));
    let mut out = Vec::new();
    assert!(device.cancel(7));
    for completion in device.take_done() {
        UsbIp.completed(&completion, &mut out);
    }
    UsbIp.cancelled(8, true, &mut out);
    assert_eq!(out.len(), 48);
    assert_eq!(out[..24], words(&[4, 8, 0, 0, 0, (-104_i32).cast_unsigned()])[..]);
}

/// A packet of QEMU, with a header of 64-bit ids or of 32-bit ones.
fn packet(kind: u32, id: u64, body: &[u8], is_greeted: bool) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (body.len() as u32).to_le_bytes()].concat();
    match is_greeted {
        true => bytes.extend(id.to_le_bytes()),
        false => bytes.extend((id as u32).to_le_bytes()),
    }
    bytes.extend(body);
    bytes
}

fn greeted() -> Redir {
    let mut redir = Redir::default();
    let mut theirs = Vec::new();
    hello(&mut theirs);
    assert!(drip(&mut redir, &theirs, &mut Vec::new()).0.is_none());
    assert!(redir.is_greeted());
    redir
}

#[test]
fn redir_gives_up_a_peer_that_can_do_less() {
    let mut incoming = Incoming::default();
    incoming.extend(&packet(0, 0, &[0; 68], false));
    assert!(Redir::default().next(&mut incoming, &mut Vec::new()).is_err());
}

#[test]
fn redir_answers_set_configuration_with_the_tables_and_the_status() {
    let (mut redir, mut out) = (greeted(), Vec::new());
    let mut module = Module::default();
    let mut device = device(&asr_download(), &mut module);
    redir.connect(device.layout(), &mut out);
    let tables = out.len() - (16 + 10);
    assert_eq!(out[tables..tables + 4], 1_u32.to_le_bytes());
    assert_eq!(
        out[tables + 16..],
        [2, 2, 0, 0, 0xCC, 0x2E, 0x17, 0x30, 0x18, 0x03]
    );
    out.clear();
    let (command, _) = drip(&mut redir, &packet(6, 5, &[1], true), &mut out);
    let Some(Command::Submit(transfer)) = command else {
        panic!("{command:?}")
    };
    for completion in submit(&mut device, transfer) {
        redir.completed(&completion, &mut out);
    }
    assert_eq!(out.len(), tables + 16 + 2);
    assert_eq!(out[tables..], packet(8, 5, &[0, 1], true));
}

#[test]
fn redir_carries_bulk_both_ways() {
    let (mut redir, mut out, id) = (greeted(), Vec::new(), 1 << 40);
    let mut module = Module::default();
    module.says.extend(b"OK");
    let mut device = device(&uis8850_download(), &mut module);
    let mut host = packet(101, id, &[0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, b'~'], true);
    host.extend(packet(101, id + 1, &[0x81, 0, 0, 0, 0, 0, 0, 0, 1, 0], true));
    let mut incoming = Incoming::default();
    incoming.extend(&host);
    while let Some(Command::Submit(transfer)) = redir.next(&mut incoming, &mut out).unwrap() {
        for completion in submit(&mut device, transfer) {
            redir.completed(&completion, &mut out);
        }
    }
    let mut expected = packet(101, id, &[0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0], true);
    expected.extend(packet(
        101,
        id + 1,
        &[0x81, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'O', b'K'],
        true,
    ));
    assert_eq!(out, expected);
}

#[test]
fn redir_answers_a_cancelled_packet_as_cancelled() {
    let (mut redir, mut out) = (greeted(), Vec::new());
    let mut module = Module::default();
    let mut device = device(&uis8850_download(), &mut module);
    device.submit(into(3, 0x81, 512));
    let (command, _) = drip(&mut redir, &packet(21, 3, &[], true), &mut out);
    let Some(Command::Cancel { victim, .. }) = command else {
        panic!("{command:?}")
    };
    assert!(device.cancel(victim));
    for completion in device.take_done() {
        redir.completed(&completion, &mut out);
    }
    assert_eq!(out, packet(101, 3, &[0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0], true));
}
