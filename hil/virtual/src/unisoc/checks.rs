//! The three 16-bit checks of Unisoc's formats and protocols. Source: specs/unisoc-pac-bsl.md §4.3.

/// Internet checksum of FDL1, FDL2 and the 8850's FDL: big-endian 16-bit words, an odd last byte padded with a
/// zero low byte, carries folded, complemented.
pub(super) fn internet_sum(bytes: &[u8]) -> u16 {
    let mut words = bytes.chunks_exact(2);
    let mut sum = 0_u64;
    for word in &mut words {
        sum += u64::from(u16::from_be_bytes([word[0], word[1]]));
    }
    if let [odd] = words.remainder() {
        sum += u64::from(*odd) << 8;
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

/// CRC-16/XMODEM of the 8850's boot ROM: polynomial 0x1021, most significant bit first, initial value 0.
pub(super) fn crc_xmodem(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (crc << 8) ^ XMODEM[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

/// CRC-16/ARC of packages and NV images: polynomial 0x8005 reflected, initial value 0.
pub(crate) fn crc_arc(bytes: &[u8]) -> u16 {
    bytes
        .iter()
        .fold(0, |crc, byte| (crc >> 8) ^ ARC[usize::from(crc as u8 ^ byte)])
}

const XMODEM: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut value, mut bit) = ((byte as u16) << 8, 0);
        while bit < 8 {
            let out = value & 0x8000 != 0;
            value <<= 1;
            if out {
                value ^= 0x1021;
            }
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

const ARC: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut value, mut bit) = (byte as u16, 0);
        while bit < 8 {
            let out = value & 1 != 0;
            value >>= 1;
            if out {
                value ^= 0xA001;
            }
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agree_with_the_published_check_values() {
        assert_eq!(internet_sum(b"123456789"), 0xF62A);
        assert_eq!(crc_xmodem(b"123456789"), 0x31C3);
        assert_eq!(crc_arc(b"123456789"), 0xBB3D);
    }

    #[test]
    fn an_odd_tail_is_padded_with_a_zero_low_byte() {
        assert_eq!(
            internet_sum(&[0x12, 0x34, 0x56]),
            internet_sum(&[0x12, 0x34, 0x56, 0x00])
        );
    }
}
