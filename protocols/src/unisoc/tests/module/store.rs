//! What the module holds: flash, NV items, the record of production. Source: specs/unisoc-pac-bsl.md §5.4, §5.5.

use super::{Module, Stage};

impl Module {
    pub fn nv_item(&self, id: u16) -> Option<&[u8]> {
        let items = self.nv.as_ref()?;
        items.iter().find(|item| item.0 == id).map(|item| &item.1[..])
    }

    /// The NV area as READ_FLASH gives it.
    pub fn nv_area(&self) -> Option<Vec<u8>> {
        let mut area = vec![0xFF; 4];
        for (id, data) in self.nv.as_ref()? {
            area.extend(id.to_le_bytes());
            area.extend((data.len() as u16).to_le_bytes());
            area.extend(data);
            area.resize(area.len().next_multiple_of(4), 0);
        }
        area.extend([0xFF; 4]);
        if self.stage == Stage::Fdl2 {
            area.resize(0x20000, 0xFF);
        }
        let crc = arc(&area[2..]).to_be_bytes();
        area[..2].copy_from_slice(&crc);
        Some(area)
    }

    pub(super) fn store_nv(&mut self, area: &[u8]) -> u16 {
        if area.len() < 4 || arc(&area[2..]).to_be_bytes() != area[..2] {
            return 0x84;
        }
        let mut at = 4;
        let half = |at: usize| u16::from_le_bytes([area[at], area[at + 1]]);
        while at + 4 <= area.len() && half(at) < 0xFFFE {
            let (id, length) = (half(at), usize::from(half(at + 2)));
            let data = area[at + 4..at + 4 + length].to_vec();
            at += 4 + length.next_multiple_of(4);
            if let Some((forgotten, left)) = &mut self.forgets
                && *forgotten == id
                && *left > 0
            {
                *left -= 1;
                continue;
            }
            let items = self.nv.get_or_insert_default();
            match items.iter_mut().find(|item| item.0 == id) {
                Some(item) => item.1 = data,
                None => items.push((id, data)),
            }
        }
        0x80
    }

    pub(super) fn end(&mut self) -> u16 {
        let Some((address, size, got)) = self.object.take() else {
            return 0x86;
        };
        if got.len() != size {
            return 0x8A;
        }
        match address {
            0xFE00_0003 => return self.store_nv(&got),
            0xFE00_0002 => self.phase_check = Some(got),
            _ => _ = self.flash.insert(address, got),
        }
        0x80
    }

    /// The NV area is read as it was when its beginning was asked for.
    pub(super) fn read(&mut self, address: u32, length: usize, offset: usize) -> Result<Vec<u8>, u16> {
        if address == 0xFE00_0003 && offset == 0 {
            self.snapshot = self.nv_area().unwrap_or_default();
        }
        let area = match address {
            0xFE00_0002 => self.phase_check.as_ref().ok_or(0x96u16)?,
            0xFE00_0003 if self.snapshot.is_empty() => return Err(0x96),
            0xFE00_0003 => &self.snapshot,
            _ => return Err(0x82),
        };
        match area.get(offset..) {
            None | Some([]) => Err(0x82),
            Some(rest) => Ok(rest[..rest.len().min(length)].to_vec()),
        }
    }
}

fn arc(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = {
        let mut table = [0; 256];
        let mut at = 0;
        while at < 256 * 8 {
            let byte = at / 8;
            let crc: u16 = if at % 8 == 0 { byte as u16 } else { table[byte] };
            table[byte] = crc >> 1 ^ (0xA001 * (crc & 1));
            at += 1;
        }
        table
    };
    bytes
        .iter()
        .fold(0, |crc, byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}
