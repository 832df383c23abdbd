//! Names of members: decoded, and refused when they could reach outside the place they are unpacked to.

use std::path::Path;

/// Device names of Windows, which no extension makes harmless.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// A name as text: UTF-8 when it is valid UTF-8, else GBK, as Chinese archivers write it.
pub(super) fn decode(raw: &[u8]) -> String {
    match std::str::from_utf8(raw) {
        Ok(name) => name.to_owned(),
        Err(_) => encoding_rs::GBK.decode_without_bom_handling(raw).0.into_owned(),
    }
}

/// The last component of a path as text.
pub(super) fn of_path(path: &Path) -> String {
    let canonical = || {
        path.canonicalize()
            .ok()?
            .file_name()
            .map(std::ffi::OsStr::to_owned)
    };
    let name = path.file_name().map(std::ffi::OsStr::to_owned).or_else(canonical);
    name.map_or_else(
        || path.display().to_string(),
        |name| decode(name.as_encoded_bytes()),
    )
}

/// Checks a decoded name and drops `.` components; `Err` says what is wrong with it.
pub(crate) fn checked(name: &str) -> Result<String, &'static str> {
    if name.contains('\\') {
        return Err("a backslash");
    }
    if name.starts_with('/') {
        return Err("an absolute path");
    }
    if name.contains(':') {
        return Err("a drive or stream name");
    }
    if name.chars().any(char::is_control) {
        return Err("a control character");
    }
    let mut parts = Vec::new();
    for part in name.split('/').filter(|part| *part != ".") {
        if part.is_empty() {
            return Err("an empty component");
        }
        // Windows drops blanks and dots at the end, so `.. ` means `..` there.
        if part.trim_matches([' ', '.']).is_empty() {
            return Err("a path that leads out of the archive");
        }
        if is_device(part) {
            return Err("the name of a Windows device");
        }
        parts.push(part);
    }
    if parts.is_empty() {
        Err("no name")
    } else {
        Ok(parts.join("/"))
    }
}

/// The name as the least careful file system sees it: without capitals, and without blanks and dots at the end
/// of a component.
pub(crate) fn folded(name: &str) -> String {
    let parts: Vec<&str> = name
        .split('/')
        .map(|part| part.trim_end_matches([' ', '.']))
        .collect();
    parts.join("/").to_lowercase()
}

fn is_device(part: &str) -> bool {
    let stem = part
        .split('.')
        .next()
        .unwrap_or(part)
        .trim_end()
        .to_ascii_uppercase();
    let numbered = |prefix| {
        let digit = stem.strip_prefix(prefix).unwrap_or_default();
        matches!(
            digit,
            "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
        )
    };
    DEVICES.contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

/// What file managers leave behind; never part of a package.
pub(crate) fn is_junk(name: &str) -> bool {
    let base = base_name(name);
    name.split('/').any(|part| part == "__MACOSX")
        || base.starts_with("._")
        || [".DS_Store", "Thumbs.db", "desktop.ini"]
            .iter()
            .any(|junk| base.eq_ignore_ascii_case(junk))
}

/// `c.bin` of `a/b/c.bin`.
pub(crate) fn base_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// `a/b` of `a/b/c.bin`; empty at the root.
pub(crate) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `c` of `a/b/C.bin` and of `a/b/C (1).bin`: lower case, without extension and a browser's number.
pub(crate) fn stem(name: &str) -> String {
    let base = base_name(name);
    let stem = base.rsplit_once('.').map_or(base, |(stem, _)| stem);
    let number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let copy = stem
        .strip_suffix(')')
        .and_then(|open| open.rsplit_once('('))
        .filter(|(_, digits)| number(digits));
    copy.map_or(stem, |(before, _)| before.trim_end())
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_utf8_and_gbk() {
        assert_eq!(decode("固件".as_bytes()), "固件");
        assert_eq!(decode(&[0xB9, 0xCC, 0xBC, 0xFE]), "固件");
        // The second byte of these GBK characters is 0x5C, a backslash in ASCII.
        assert!(checked(&decode(&[0x81, 0x5C, b'/', 0x96, 0x5C])).is_ok());
    }

    #[test]
    fn refuses_names_that_reach_out() {
        for name in [
            "../a",
            "a/../b",
            "a/..",
            "/etc/passwd",
            "C:/a",
            "c:a",
            "a\\b",
            "\\\\host\\share",
            "CON",
            "a/nul.bin",
            "com1.txt",
            "Lpt9",
            "aux .x",
            "a//b",
            "",
            ".",
            "a\0b",
            "a\nb",
            ".. /b",
            "a/...",
            "x:stream",
            "COM¹",
        ] {
            assert!(checked(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn keeps_names_of_people() {
        for name in [
            "a b/固件 (1).ZIP",
            "console.bin",
            "com10",
            "..a",
            "a..b",
            "nullify",
            "éè",
        ] {
            assert_eq!(checked(name).as_deref(), Ok(name));
        }
        assert_eq!(checked("./a/./b").as_deref(), Ok("a/b"));
    }

    #[test]
    fn knows_junk() {
        for name in ["__MACOSX/._a", "a/.DS_Store", "a/._b.bin", "THUMBS.DB"] {
            assert!(is_junk(name), "{name}");
        }
        assert!(!is_junk("a/download.json"));
    }

    #[test]
    fn cuts_names() {
        assert_eq!((base_name("a/b.c"), folder_of("a/b.c")), ("b.c", "a"));
        assert_eq!((base_name("b"), folder_of("b")), ("b", ""));
        for (name, short) in [
            ("a/B.c.PAC", "b.c"),
            ("b", "b"),
            ("x (1).zip", "x"),
            ("x(y).zip", "x(y)"),
        ] {
            assert_eq!(stem(name), short);
        }
    }
}
