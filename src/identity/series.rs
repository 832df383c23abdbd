//! Which chip platform a series is built on. Source: specs/identity.md §4.4.

use qpyflash_protocols::Platform;

use Scope::{OutOfScope, Supported};

/// What qpyflash knows about a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Its platform.
    Supported(Platform),
    /// A real series that qpyflash must not touch, and why.
    OutOfScope(&'static str),
}

const ASR: Scope = Supported(Platform::Asr);
const UIS8910: Scope = Supported(Platform::Unisoc8910);
const UIS8850: Scope = Supported(Platform::Unisoc8850);
const EC618: Scope = Supported(Platform::Eigencomm618);

/// Series → platform. A series that is not here is unknown: its letters prove nothing.
#[rustfmt::skip]
const SERIES: [(&str, Scope); 35] = [
    ("EC100Y", ASR),        // ASR3601
    ("EC600S", ASR),        // ASR1601
    ("EC600N", ASR),        // ASR1603
    ("EC800N", ASR),
    ("EC200N", ASR),
    ("EG912N", ASR),
    ("EG915N", ASR),
    ("EC600M", ASR),        // ASR1606
    ("EC800M", ASR),
    ("EG810M", ASR),
    ("EC600K", ASR),        // ASR1602
    ("EC800K", ASR),
    ("EG800K", ASR),
    ("EG800P", ASR),        // ASR1609
    ("EC200U", UIS8910),
    ("EC600U", UIS8910),
    ("EG912U", UIS8910),
    ("EG915U", UIS8910),
    ("EC600G", UIS8850),
    ("EC800G", UIS8850),
    ("EG800G", UIS8850),
    ("EG700G", UIS8850),
    ("EC600E", EC618),
    ("EC800E", EC618),
    ("EC200A", OutOfScope("it is built on the ASR1803S, which is flashed in another way (`.blf`)")),
    ("UC200A", OutOfScope("it is built on the ASR1803S, which is flashed in another way (`.blf`)")),
    ("EC200S", OutOfScope("it runs standard AT firmware only; there is no QuecPython for it")),
    ("EC200T", OutOfScope("it runs standard AT firmware only; there is no QuecPython for it")),
    ("EG912Y", OutOfScope("its R01 and R03 hardware share one ordering code and need different firmware")),
    ("EC800Z", OutOfScope("it is built on the EC718, whose download protocol qpyflash does not speak")),
    ("EG800Z", OutOfScope("it is built on the EC718, whose download protocol qpyflash does not speak")),
    ("EC801E", OutOfScope("it is built on the EC716, whose download protocol qpyflash does not speak")),
    ("EG800Q", OutOfScope("it is built on the EC716 or EC718, whose download protocol qpyflash does not speak")),
    ("EG916Q", OutOfScope("qpyflash does not speak its download protocol")),
    ("EC200D", OutOfScope("qpyflash does not speak its download protocol")),
];

/// What qpyflash knows about a series; nothing for a series it has never heard of.
pub fn scope_of_series(series: &str) -> Option<Scope> {
    SERIES
        .iter()
        .find(|(name, _)| *name == series)
        .map(|(_, scope)| *scope)
}

/// The platform of a series that qpyflash can flash.
pub fn platform_of_series(series: &str) -> Option<Platform> {
    match scope_of_series(series) {
        Some(Supported(platform)) => Some(platform),
        Some(OutOfScope(_)) | None => None,
    }
}

/// The series a text begins with, when it begins like one: `EC800M` of `EC800M-CN`.
pub fn series_of(text: &str) -> Option<&str> {
    let head = text.get(..6)?;
    let shape = |(at, byte): (usize, u8)| match at {
        0 => byte == b'E',
        1 => matches!(byte, b'C' | b'G'),
        5 => byte.is_ascii_uppercase(),
        _ => byte.is_ascii_digit(),
    };
    head.bytes().enumerate().all(shape).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_its_series() {
        for (platform, series) in [
            (
                Platform::Asr,
                "EC100Y EC600S EC600N EC800N EC200N EG912N EG915N EC600M EC800M EG810M EC600K EC800K EG800K EG800P",
            ),
            (Platform::Unisoc8910, "EC200U EC600U EG912U EG915U"),
            (Platform::Unisoc8850, "EC600G EC800G EG800G EG700G"),
            (Platform::Eigencomm618, "EC600E EC800E"),
        ] {
            for name in series.split(' ') {
                assert_eq!(platform_of_series(name), Some(platform), "{name}");
            }
        }
    }

    #[test]
    fn series_out_of_scope_are_named_and_never_guessed() {
        for name in [
            "EC200A", "EC200S", "EC200T", "EG912Y", "EC800Z", "EG800Z", "EC801E", "EG800Q", "UC200A",
        ] {
            assert_eq!(platform_of_series(name), None, "{name}");
            assert!(matches!(scope_of_series(name), Some(OutOfScope(_))), "{name}");
        }
    }

    #[test]
    fn an_unknown_series_is_unknown_whatever_its_letters() {
        for name in ["EC900N", "EC600A", "EG950U", "ec600n", "EC600", "", "EC600NX"] {
            assert_eq!(scope_of_series(name), None, "{name}");
        }
    }

    #[test]
    fn no_series_stands_twice() {
        for (at, (name, _)) in SERIES.iter().enumerate() {
            assert!(SERIES[..at].iter().all(|(earlier, _)| earlier != name), "{name}");
        }
    }
}
