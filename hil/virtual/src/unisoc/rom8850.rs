//! The UIS8850's mask ROM: BSL with a CRC, which loads FDL into RAM. Source: specs/unisoc-pac-bsl.md §5.3, §6.4
//! (read from the vendor's source, not measured).

use super::bsl::{self, Then, Verdict};
use super::images;

/// Where FDL belongs, and how large it may be.
const FDL_AT: u32 = 0x5080_0000;
const FDL_SIZES: std::ops::RangeInclusive<usize> = 0x100..=0x1_4000;
/// Longest payload: a whole packet has at most 0x410 bytes. Source: specs/unisoc-pac-bsl.md §4.5.
pub(super) const LIMIT: usize = 0x410 - 6;
/// What it says after three flags.
pub(super) const VERSION: &[u8] = b"SPRD3\0";
/// Rates that the PC tool offers up to 921600. Source: specs/unisoc-pac-bsl.md §2.4.
const RATES: [u32; 5] = [57_600, 115_200, 230_400, 460_800, 921_600];

/// The ROM and the RAM it fills.
#[derive(Debug, Default)]
pub(super) struct Rom8850 {
    size: Option<usize>,
    /// A second START does not reset what was received: after a failure only a reset helps.
    image: Vec<u8>,
}

impl Rom8850 {
    /// Does what a command says.
    pub fn execute(&mut self, kind: u16, payload: &[u8]) -> Verdict {
        let code = match kind {
            bsl::CONNECT => bsl::ACK,
            bsl::START_DATA => self.start(payload),
            bsl::MIDST_DATA => self.middle(payload),
            bsl::END_DATA if self.size == Some(self.image.len()) => bsl::ACK,
            bsl::END_DATA => bsl::INVALID_CMD,
            bsl::EXEC_DATA if images::is_whole_simage(&self.image) => {
                let image = std::mem::take(&mut self.image);
                return Verdict::code(bsl::ACK).and(Then::Run(image));
            }
            bsl::EXEC_DATA => bsl::VERIFY_ERROR,
            bsl::CHANGE_BAUD => match bsl::word(payload, 0) {
                Some(rate) if RATES.contains(&rate) => bsl::ACK,
                _ => bsl::NOT_SUPPORT_BAUDRATE,
            },
            _ => bsl::UNKNOWN_CMD,
        };
        Verdict::code(code)
    }

    fn start(&mut self, payload: &[u8]) -> u16 {
        let size = bsl::word(payload, 1).unwrap_or_default() as usize;
        if bsl::word(payload, 0) != Some(FDL_AT) || !FDL_SIZES.contains(&size) {
            return bsl::INVALID_CMD;
        }
        self.size = Some(size);
        bsl::ACK
    }

    fn middle(&mut self, payload: &[u8]) -> u16 {
        match self.size {
            None => bsl::INVALID_CMD,
            Some(size) if self.image.len() + payload.len() > size => bsl::VERIFY_ERROR,
            Some(_) => {
                self.image.extend_from_slice(payload);
                bsl::ACK
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(address: u32, size: usize) -> Vec<u8> {
        [address.to_be_bytes(), (size as u32).to_be_bytes()].concat()
    }

    #[test]
    fn runs_a_whole_simage_and_nothing_else() {
        let image = images::simage("fdl", &[0x11; 0x400]);
        let mut rom = Rom8850::default();
        assert_eq!(rom.execute(bsl::MIDST_DATA, b"x"), Verdict::code(0x82));
        assert_eq!(rom.execute(bsl::END_DATA, &[]), Verdict::code(0x82));
        assert_eq!(rom.execute(bsl::EXEC_DATA, &[]), Verdict::code(0x8B));
        for (address, size) in [(FDL_AT + 4, 0x400), (FDL_AT, 0xFF), (FDL_AT, 0x1_4001)] {
            assert_eq!(
                rom.execute(bsl::START_DATA, &start(address, size)),
                Verdict::code(0x82)
            );
        }
        rom.execute(bsl::START_DATA, &start(FDL_AT, image.len()));
        for piece in image.chunks(0x210) {
            assert_eq!(rom.execute(bsl::MIDST_DATA, piece), Verdict::code(bsl::ACK));
        }
        assert_eq!(rom.execute(bsl::END_DATA, &[]), Verdict::code(bsl::ACK));
        let run = Verdict::code(bsl::ACK).and(Then::Run(image));
        assert_eq!(rom.execute(bsl::EXEC_DATA, &[]), run);
    }

    #[test]
    fn does_not_begin_again_at_a_second_start() {
        let mut rom = Rom8850::default();
        rom.execute(bsl::START_DATA, &start(FDL_AT, 0x100));
        rom.execute(bsl::MIDST_DATA, &[0; 0x80]);
        rom.execute(bsl::START_DATA, &start(FDL_AT, 0x100));
        assert_eq!(rom.execute(bsl::MIDST_DATA, &[0; 0x100]), Verdict::code(0x8B));
        assert_eq!(rom.execute(bsl::END_DATA, &[]), Verdict::code(0x82));
    }

    #[test]
    fn knows_few_rates_and_fewer_commands() {
        let mut rom = Rom8850::default();
        let rate = |rate: u32| rate.to_be_bytes();
        assert_eq!(
            rom.execute(bsl::CHANGE_BAUD, &rate(921_600)),
            Verdict::code(bsl::ACK)
        );
        assert_eq!(rom.execute(bsl::CHANGE_BAUD, &rate(12_345)), Verdict::code(0x85));
        assert_eq!(rom.execute(bsl::ERASE_FLASH, &[0; 8]), Verdict::code(0x83));
    }
}
