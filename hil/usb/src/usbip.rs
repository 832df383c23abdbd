//! URBs as USB/IP carries them between `vhci_hcd` and a device. Numbers are big-endian. Source: the Linux kernel's
//! Documentation/usb/usbip_protocol.rst.

use std::io;

use crate::device::{Completion, Status, TO_HOST, Transfer};
use crate::host::{Command, Incoming, Protocol};

/// Bytes of every header.
const HEADER_BYTES: usize = 48;
const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;
/// The flag of an URB that a zero-length packet ends.
const URB_ZERO_PACKET: u32 = 0x40;
/// Longest transfer that is believed.
const LONGEST_BYTES: usize = 16 << 20;

const EPIPE: i32 = -32;
const EOVERFLOW: i32 = -75;
const ECONNRESET: i32 = -104;

/// The server's side of USB/IP.
#[derive(Debug, Default)]
pub struct UsbIp;

impl Protocol for UsbIp {
    fn next(&mut self, incoming: &mut Incoming, _out: &mut Vec<u8>) -> io::Result<Option<Command>> {
        let Some(header) = incoming.peek(HEADER_BYTES) else {
            return Ok(None);
        };
        let word = |place: usize| {
            let bytes = [
                header[place],
                header[place + 1],
                header[place + 2],
                header[place + 3],
            ];
            u32::from_be_bytes(bytes)
        };
        let (command, id) = (word(0), u64::from(word(4)));
        match command {
            CMD_UNLINK => {
                let victim = u64::from(word(20));
                incoming.skip(HEADER_BYTES);
                Ok(Some(Command::Cancel { id, victim }))
            }
            CMD_SUBMIT => {
                let is_to_host = word(12) == 1;
                let length = word(24) as usize;
                let mut transfer = Transfer {
                    id,
                    endpoint: (word(16) as u8 & 0x0F) | if is_to_host { TO_HOST } else { 0 },
                    length,
                    ends_with_zero_packet: !is_to_host
                        && word(20) & URB_ZERO_PACKET != 0
                        && length.is_multiple_of(512),
                    ..Transfer::default()
                };
                transfer.setup.copy_from_slice(&header[40..48]);
                if length > LONGEST_BYTES {
                    return Err(io::Error::other(format!("a transfer of {length} bytes")));
                }
                let data_bytes = if is_to_host { 0 } else { length };
                let Some(message) = incoming.peek(HEADER_BYTES + data_bytes) else {
                    return Ok(None);
                };
                transfer.data = message[HEADER_BYTES..].to_vec();
                incoming.skip(HEADER_BYTES + data_bytes);
                Ok(Some(Command::Submit(transfer)))
            }
            other => Err(io::Error::other(format!("USB/IP command {other}"))),
        }
    }

    fn completed(&mut self, completion: &Completion, out: &mut Vec<u8>) {
        let status = match completion.status {
            Status::Done => 0,
            Status::Stall => EPIPE,
            Status::Babble => EOVERFLOW,
            // RET_UNLINK has said so.
            Status::Cancelled => return,
        };
        put_header(out, RET_SUBMIT, completion.id, status, completion.actual);
        out.extend(&completion.data);
    }

    fn cancelled(&mut self, id: u64, was_pending: bool, out: &mut Vec<u8>) {
        put_header(out, RET_UNLINK, id, if was_pending { ECONNRESET } else { 0 }, 0);
    }
}

fn put_header(out: &mut Vec<u8>, command: u32, id: u64, status: i32, actual: usize) {
    // devid, direction and endpoint are 0 in answers.
    for word in [command, id as u32, 0, 0, 0, status.cast_unsigned(), actual as u32] {
        out.extend(word.to_be_bytes());
    }
    out.resize(out.len() + 20, 0);
}
