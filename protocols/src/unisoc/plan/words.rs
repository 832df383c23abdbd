//! A step in words, for a person who wants to know before anything is sent.

use super::{Action, Step};
use crate::unisoc::bsl::address;

impl Step {
    /// Where it goes: `0x60010000`, or what a special address stands for. Source: specs/unisoc-pac-bsl.md §1.6.
    pub fn target(&self) -> String {
        match self.address {
            address::RUNNING_NV => "running copies of the NV items".into(),
            address::PHASE_CHECK => "record of production".into(),
            address::NV => "NV items".into(),
            address::CPIO => "files in the module's file system".into(),
            address::APPLICATION => "application".into(),
            address::FILE_SYSTEM => format!(
                "file system {}",
                String::from_utf8_lossy(&self.room.to_le_bytes())
            ),
            address => format!("0x{address:08x}"),
        }
    }

    /// Bytes that are sent or erased; 0 where the module alone knows how many those are.
    pub fn bytes(&self) -> u64 {
        let in_flash = address::NOR.contains(&self.address.into());
        match self.action {
            Action::Erase { size } if in_flash => size.into(),
            _ => self.data.len() as u64,
        }
    }
}
