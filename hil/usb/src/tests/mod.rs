//! The device and its two protocols, without a kernel.

mod device;
mod layout;
mod protocols;

use std::collections::VecDeque;
use std::io;

use qpyflash_virtual::{Enumerated, EnumeratedInterface, Role};

use crate::device::{Completion, Device, Transfer};
use crate::layout::Layout;
use crate::port::Fifo;

/// A module that says what it is told to, and keeps what it hears.
#[derive(Debug, Default)]
struct Module {
    says: VecDeque<u8>,
    heard: Vec<u8>,
    is_deaf: bool,
}

impl Fifo for &mut Module {
    fn take(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.says.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(self.says.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    fn give(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = if self.is_deaf { 0 } else { bytes.len() };
        self.heard.extend(&bytes[..count]);
        Ok(count)
    }
}

fn enumerated(
    vid: u16,
    pid: u16,
    speed: &'static str,
    interfaces: &[(u8, &'static str, bool)],
) -> Enumerated {
    let interfaces = interfaces
        .iter()
        .map(|(number, class, has_port)| EnumeratedInterface {
            number: *number,
            class,
            role: has_port.then_some(Role::At),
        });
    Enumerated {
        vid,
        pid,
        bcd_device: "0318",
        strings: [Some("Android"), None, Some("0000")],
        speed,
        interfaces: interfaces.collect(),
    }
}

/// An ASR module in download mode, which needs DTR.
fn asr_download() -> Enumerated {
    enumerated(0x2ECC, 0x3017, "high", &[(0, "02", true), (1, "0a", false)])
}

/// An UIS8850 in download mode, which has a receive block and replies in pieces.
fn uis8850_download() -> Enumerated {
    enumerated(0x1782, 0x4D16, "high", &[(0, "ff", false), (1, "ff", true)])
}

fn device<'a>(enumerated: &Enumerated, module: &'a mut Module) -> Device<&'a mut Module> {
    let layout = Layout::of(enumerated, None).expect("it has endpoints for all");
    Device::new(layout, vec![module], Default::default())
}

fn control(setup: [u8; 8]) -> Transfer {
    Transfer {
        id: 99,
        endpoint: setup[0] & 0x80,
        setup,
        length: usize::from(u16::from_le_bytes([setup[6], setup[7]])),
        ..Transfer::default()
    }
}

fn out(id: u64, endpoint: u8, data: &[u8]) -> Transfer {
    Transfer {
        id,
        endpoint,
        length: data.len(),
        data: data.to_vec(),
        ..Transfer::default()
    }
}

fn into(id: u64, endpoint: u8, length: usize) -> Transfer {
    Transfer {
        id,
        endpoint,
        length,
        ..Transfer::default()
    }
}

fn submit<F: Fifo>(device: &mut Device<F>, transfer: Transfer) -> Vec<Completion> {
    device.submit(transfer);
    device.pump().expect("the module's end works");
    device.take_done()
}
