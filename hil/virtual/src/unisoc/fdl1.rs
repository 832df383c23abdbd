//! FDL1 of the UIS8910, which loads FDL2 into RAM. Measured on the genuine image. Source:
//! specs/unisoc-pac-bsl.md §4.4, §5.3.

use super::bsl::{self, Then, Verdict};
use super::images::{self, UIMAGE_MAGIC};

/// Where FDL2 belongs, and the most it may take there.
const FDL2_AT: u32 = 0x0081_0000;
const FDL2_ROOM: usize = 0x3_0000;
/// Longest payload that is taken.
pub(super) const LIMIT: usize = 0x85A;
/// What it says at the first flag.
pub(super) const VERSION: &[u8] = b"Spreadtrum Boot Block version 1.2\0";

/// FDL1 and the RAM it fills.
#[derive(Debug, Default)]
pub(super) struct Fdl1 {
    size: Option<usize>,
    image: Vec<u8>,
}

impl Fdl1 {
    /// Does what a command says. After a refusal, and after any command that it does not know, it stops.
    pub fn execute(&mut self, kind: u16, payload: &[u8]) -> Verdict {
        match kind {
            bsl::CONNECT | bsl::CHANGE_BAUD => Verdict::code(bsl::ACK),
            bsl::START_DATA => self.start(payload),
            bsl::MIDST_DATA => self.middle(payload),
            // The bytes received are not counted here.
            bsl::END_DATA => Verdict::code(bsl::ACK),
            bsl::EXEC_DATA => self.execute_image(),
            _ => Verdict::silence().and(Then::Stop),
        }
    }

    fn start(&mut self, payload: &[u8]) -> Verdict {
        let (address, size) = (bsl::word(payload, 0), bsl::word(payload, 1));
        let size = size.unwrap_or_default() as usize;
        if address != Some(FDL2_AT) {
            return Verdict::code(bsl::DOWN_DEST_ERROR).and(Then::Stop);
        }
        if size > FDL2_ROOM {
            return Verdict::code(bsl::DOWN_SIZE_ERROR).and(Then::Stop);
        }
        self.size = Some(size);
        self.image.clear();
        Verdict::code(bsl::ACK)
    }

    fn middle(&mut self, payload: &[u8]) -> Verdict {
        let Some(size) = self.size else {
            return Verdict::code(bsl::DOWN_NOT_START).and(Then::Stop);
        };
        if self.image.len() + payload.len() > size {
            return Verdict::code(bsl::DOWN_SIZE_ERROR).and(Then::Stop);
        }
        self.image.extend_from_slice(payload);
        Verdict::code(bsl::ACK)
    }

    /// Jumps to anything that begins like a uImage, without an answer; a broken one crashes.
    fn execute_image(&mut self) -> Verdict {
        let then = match self.image.starts_with(&UIMAGE_MAGIC) {
            false => Then::GoOn,
            true if images::is_whole_uimage(&self.image) => Then::Run(std::mem::take(&mut self.image)),
            true => Then::Stop,
        };
        Verdict::silence().and(then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(address: u32, size: u32) -> Vec<u8> {
        [address.to_be_bytes(), size.to_be_bytes()].concat()
    }

    #[test]
    fn runs_what_it_was_given_and_says_nothing() {
        let image = images::uimage("fdl2", 0x0081_0040, 0x0081_01E4, &[0xAA; 999]);
        let mut fdl = Fdl1::default();
        let begin = start(FDL2_AT, image.len() as u32);
        assert_eq!(fdl.execute(bsl::START_DATA, &begin), Verdict::code(bsl::ACK));
        for piece in image.chunks(0x840) {
            assert_eq!(fdl.execute(bsl::MIDST_DATA, piece), Verdict::code(bsl::ACK));
        }
        assert_eq!(fdl.execute(bsl::END_DATA, &[]), Verdict::code(bsl::ACK));
        let verdict = fdl.execute(bsl::EXEC_DATA, &[]);
        assert_eq!(verdict, Verdict::silence().and(Then::Run(image)));
    }

    #[test]
    fn stops_after_every_mistake() {
        let stopped = |kind: u16, payload: &[u8]| {
            let mut fdl = Fdl1::default();
            let verdict = fdl.execute(kind, payload);
            assert_eq!(verdict.then, Then::Stop, "{kind:#x}");
            verdict.reply.map(|(code, _)| code)
        };
        assert_eq!(stopped(bsl::START_DATA, &start(FDL2_AT + 1, 4)), Some(0x89));
        assert_eq!(stopped(bsl::START_DATA, &start(FDL2_AT, 0x3_0001)), Some(0x8A));
        assert_eq!(stopped(bsl::MIDST_DATA, b"x"), Some(0x86));
        for kind in [5, 6, 7, 0xA, 0xB, 0x17, 0x25, 0x100] {
            assert_eq!(stopped(kind, &[]), None);
        }
        let mut fdl = Fdl1::default();
        fdl.execute(bsl::START_DATA, &start(FDL2_AT, 2));
        assert_eq!(
            fdl.execute(bsl::MIDST_DATA, b"xyz"),
            Verdict::code(0x8A).and(Then::Stop)
        );
    }

    #[test]
    fn stays_alive_when_told_to_run_something_else() {
        let mut fdl = Fdl1::default();
        fdl.execute(bsl::START_DATA, &start(FDL2_AT, 0x100));
        fdl.execute(bsl::MIDST_DATA, &[b'x'; 0x80]);
        assert_eq!(
            fdl.execute(bsl::END_DATA, &[]),
            Verdict::code(bsl::ACK),
            "bytes are not counted"
        );
        assert_eq!(fdl.execute(bsl::EXEC_DATA, &[]), Verdict::silence());
        assert_eq!(fdl.execute(bsl::CONNECT, &[]), Verdict::code(bsl::ACK));
    }
}
