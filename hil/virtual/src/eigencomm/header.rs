//! The image header, 272 bytes, of the agent and of every image it burns. Source: specs/eigencomm-agentboot.md §3.6 [V].

use sha2::{Digest, Sha256};

/// Bytes of a header.
pub(crate) const HEADER: usize = 272;
/// `IMGH`, as it stands on the wire.
pub(crate) const MAGIC: [u8; 4] = *b"HMIT";
const VERSION: u32 = 0x1000_0001;
const DATED: u32 = 0x2018_0507;
const LOCATION: u32 = 0x0401_0000;
/// No hash in hardware or software.
const NO_HASH: u8 = 0xEE;

/// What an image is, as BURN_ONE and its header name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageId {
    /// The bootloader; the agent itself uses the same id.
    Bl,
    Ap,
    Cp,
    Flex,
}

impl ImageId {
    const ALL: [(ImageId, [u8; 4]); 4] = [
        (ImageId::Bl, *b"IMBO"),
        (ImageId::Ap, *b"IBKD"),
        (ImageId::Cp, *b"IBPC"),
        (ImageId::Flex, *b"IXLF"),
    ];

    pub fn of(bytes: &[u8]) -> Option<ImageId> {
        let found = Self::ALL.iter().find(|(_, known)| bytes == known)?;
        Some(found.0)
    }

    /// As it stands on the wire.
    pub fn bytes(self) -> [u8; 4] {
        let [(_, bl), (_, ap), (_, cp), (_, flex)] = Self::ALL;
        match self {
            ImageId::Bl => bl,
            ImageId::Ap => ap,
            ImageId::Cp => cp,
            ImageId::Flex => flex,
        }
    }
}

/// A header as it was received. It may hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header(pub [u8; HEADER]);

impl Header {
    /// The header of an image of the flash, as a host writes it: burnaddr valid when it is not zero. Source: §4.7.
    pub fn of(id: ImageId, burn_address: u32, body: &[u8]) -> Self {
        let mut header = Header([0; HEADER]);
        header.put(0, VERSION);
        header.0[4..8].copy_from_slice(&MAGIC);
        header.put(8, DATED);
        header.put(16, 1);
        header.0[20] = NO_HASH;
        header.put(24, if burn_address == 0 { 0 } else { 4 });
        header.0[64..68].copy_from_slice(&id.bytes());
        header.put(68, burn_address);
        header.put(72, LOCATION);
        header.put(76, body.len() as u32);
        header.0[96..128].copy_from_slice(&Sha256::digest(body));
        let own = header.own_hash();
        header.0[32..64].copy_from_slice(&own);
        header
    }

    fn put(&mut self, at: usize, word: u32) {
        self.0[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    /// The SHA-256 that ought to stand at 32.
    fn own_hash(&self) -> [u8; 32] {
        let mut blank = self.0;
        blank[32..64].fill(0);
        Sha256::digest(blank).into()
    }

    pub fn has_own_hash(&self) -> bool {
        self.0[32..64] == self.own_hash()
    }

    pub fn has_magic(&self) -> bool {
        self.0[4..8] == MAGIC
    }

    /// Whether the constant words are those of the vendor's hosts.
    pub fn is_usual(&self) -> bool {
        self.has_magic() && self.word(0) == VERSION && self.word(16) == 1 && self.word(72) == LOCATION
    }

    pub fn id(&self) -> [u8; 4] {
        [self.0[64], self.0[65], self.0[66], self.0[67]]
    }

    /// 1 stands for an image that is taken and not written.
    pub fn is_skipped(&self) -> bool {
        self.0[21] == 1
    }

    /// Baud of the agent's UART.
    pub fn baud(&self) -> u32 {
        let word = u16::from_le_bytes([self.0[22], self.0[23]]);
        u32::from(word & 0x7FFF) * 100
    }

    /// Names another baud; the hash follows.
    #[cfg(test)]
    pub fn set_baud(&mut self, baud: u32) {
        let word = 0x8000 | (baud / 100) as u16;
        self.0[22..24].copy_from_slice(&word.to_le_bytes());
        let own = self.own_hash();
        self.0[32..64].copy_from_slice(&own);
    }

    pub fn burn_address(&self) -> u32 {
        self.word(68)
    }

    pub fn size(&self) -> u32 {
        self.word(76)
    }

    pub fn flags(&self) -> u32 {
        self.word(24)
    }

    /// Whether this is the body that the header announces.
    pub fn announces(&self, body: &[u8]) -> bool {
        self.size() as usize == body.len() && self.0[96..128] == Sha256::digest(body)[..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_that_of_the_specification() {
        let body: Vec<u8> = (0..64).collect();
        let mut header = Header::of(ImageId::Flex, 0x30_0000, &body);
        assert!(header.has_own_hash() && header.is_usual() && header.announces(&body));
        // The specification's own example leaves the flags at zero: specs/eigencomm-agentboot.md §9.4.
        header.put(24, 0);
        let own = header.own_hash();
        assert_eq!(own[..8], [0xB3, 0xFA, 0xEA, 0xDC, 0xD4, 0x3A, 0x25, 0x5F]);
        assert_eq!(header.0[96..100], [0xFD, 0xEA, 0xB9, 0xAC]);
        assert!(!header.has_own_hash());
    }
}
