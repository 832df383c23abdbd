//! The 8850's own guard: a list of models in FDL. Source: specs/unisoc-pac-bsl.md §7, specs/identity.md §3.2.

/// An ordering code: two letters, three digits, five letters (`EC800GCNLD`).
const LENGTH: usize = 10;

/// The ordering codes that stand in a loader, each ended by NUL. None in loaders of 2023, which take any module.
pub(super) fn models(image: &[u8]) -> Vec<String> {
    image
        .windows(LENGTH + 1)
        .filter(|window| window[LENGTH] == 0 && is_ordering_code(&window[..LENGTH]))
        .map(|window| String::from_utf8_lossy(&window[..LENGTH]).into_owned())
        .collect()
}

fn is_ordering_code(text: &[u8]) -> bool {
    let kinds = text.iter().zip(b"EA000AAAAA");
    kinds
        .enumerate()
        .all(|(place, (byte, kind))| match (place, kind) {
            (0, _) => *byte == b'E',
            (1, _) => matches!(byte, b'C' | b'G'),
            (_, b'0') => byte.is_ascii_digit(),
            _ => byte.is_ascii_uppercase(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_whole_ordering_codes_only() {
        let image = b"\x01EC800GCNLD\0EG800GEULD\0\0EC800GCN_LD\0EC800GCNLDR02A01M04\0EC800GCNM";
        assert_eq!(models(image), ["EC800GCNLD", "EG800GEULD"]);
        assert!(models(b"no table").is_empty());
    }
}
