//! The preamble: the host repeats `UUUU~`, and the first answer tells which transport the loader speaks.
//!
//! ```text
//! H 55 55 55 55 7E       UUUU~      every 20 ms, until answered
//! M 7E 55 41 42 54 7E    ~UABT~     SMUX frames
//! M 7E 55 55 55 55 7E    ~UUUU~     ETHOS: UDP over IPv6 in the same byte stuffing
//! ```
//!
//! The four `U` also train the baud rate of a UART. Source: specs/asr-aboot.md §3.1 (V).

use super::smux::DELIMITER;

/// What the host repeats until the loader answers. No leading delimiter. Source: §3.1 (V).
pub const CALL: &[u8; 5] = b"UUUU~";
/// Greeting that chooses SMUX, as the payload of a log frame. Source: §3.1 (V).
pub const UABT: &[u8; 4] = b"UABT";
/// Greeting that chooses ETHOS, as the payload of a log frame. Source: §3.1 (V).
pub const UUUU: &[u8; 4] = b"UUUU";

/// How the loader wants to be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Byte-stuffed frames.
    Smux,
    /// UDP over IPv6 over byte-stuffed Ethernet frames.
    Ethos,
}

/// Finds the answer to the preamble: four bytes between two delimiters, anywhere in the stream and however it
/// is cut into reads. The delimiter that ends one candidate begins the next. Source: §3.1 (V-tiny).
#[derive(Debug, Default)]
pub struct Matcher {
    last: [u8; 4],
    /// Bytes since the last delimiter, at most 5; nothing before the first delimiter.
    since: Option<u8>,
}

impl Matcher {
    /// Reads on in the stream; on an answer also says how many of `bytes` it has used.
    pub fn push(&mut self, bytes: &[u8]) -> Option<(Transport, usize)> {
        bytes
            .iter()
            .enumerate()
            .find_map(|(at, &byte)| Some((self.push_byte(byte)?, at + 1)))
    }

    fn push_byte(&mut self, byte: u8) -> Option<Transport> {
        if byte != DELIMITER {
            self.last.rotate_left(1);
            self.last[3] = byte;
            self.since = self.since.map(|count| count.saturating_add(1).min(5));
            return None;
        }
        let whole = self.since.replace(0) == Some(4);
        match &self.last {
            last if whole && last == UABT => Some(Transport::Smux),
            last if whole && last == UUUU => Some(Transport::Ethos),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tells_smux_from_ethos() {
        assert_eq!(Matcher::default().push(b"~UABT~"), Some((Transport::Smux, 6)));
        assert_eq!(Matcher::default().push(b"~UUUU~"), Some((Transport::Ethos, 6)));
    }

    #[test]
    fn takes_double_delimiters_and_text_before() {
        assert_eq!(
            Matcher::default().push(b"UART boot\n~~UUUU~"),
            Some((Transport::Ethos, 17))
        );
        assert_eq!(
            Matcher::default().push(b"~ROM banner\n~UABT~x"),
            Some((Transport::Smux, 18))
        );
    }

    #[test]
    fn takes_nothing_else_for_an_answer() {
        for text in [
            &b"UABT~"[..],
            b"~UABTx~",
            b"~xUABT~",
            b"~UAB~T~",
            b"~UABT",
            b"~U~U~U~U~",
            b"~uabt~",
        ] {
            assert_eq!(Matcher::default().push(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_split_finds_the_same_answer(noise in "[U~ABT]{0,40}", cut in 0usize..40) {
            let stream = format!("{noise}~UABT~");
            let whole = Matcher::default().push(stream.as_bytes()).map(|(found, _)| found);
            let cut = cut.min(stream.len());
            let mut matcher = Matcher::default();
            let (left, right) = stream.as_bytes().split_at(cut);
            let split = matcher.push(left).or_else(|| matcher.push(right)).map(|(found, _)| found);
            prop_assert_eq!(whole, split);
            prop_assert!(whole.is_some());
        }
    }
}
