//! `platform_config.json`: what the package says its platform is. It must agree with what is inside.

use qpyflash_protocols::Platform;
use serde::Deserialize;

use super::error::PackageError;
use super::survey::Candidate;

const NAME: &str = "platform_config.json";

/// Platforms the vendor's tool flashes and qpyflash does not. Source: specs/identity.md §5.1 [V].
const OTHERS: [&str; 5] = ["RDA8908A", "MDM9X05", "ASR1803S", "FCM360W", "FC41D"];

#[derive(Deserialize)]
struct Settings {
    platform: String,
}

/// Compares every `platform_config.json` round a payload with the platform that was found in it.
pub(crate) fn check(candidate: &Candidate, found: Platform) -> Result<Vec<String>, PackageError> {
    let mut warnings = Vec::new();
    for (tree, folder) in candidate.surroundings() {
        let Some(index) = tree.find(&folder, NAME) else {
            continue;
        };
        let bytes = tree.read(index)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let contradiction = |why| PackageError::Contradiction {
            place: candidate.place(),
            why,
        };
        let settings: Settings = serde_json::from_slice(bytes)
            .map_err(|why| contradiction(format!("its `{NAME}` cannot be read: {why}")))?;
        let said = settings.platform.trim();
        if OTHERS.iter().any(|other| said.eq_ignore_ascii_case(other)) {
            let why = format!("`{NAME}` says it is for {said}, which qpyflash does not know");
            return Err(PackageError::Unsupported {
                place: candidate.place(),
                why,
            });
        }
        if !agrees(said, found) {
            return Err(contradiction(format!(
                "`{NAME}` says `{said}`, the content is for {}",
                found.title()
            )));
        }
        if said.eq_ignore_ascii_case("unisoc") && found != Platform::Unisoc8910 {
            warnings.push(format!(
                "`{NAME}` says `{said}`, which usually means UIS8910, not {}",
                found.title()
            ));
        }
    }
    Ok(warnings)
}

/// The words of specs/identity.md §5.1 [V], compared without regard to capitals. `unisoc` alone stands for
/// either chip of that maker ([?]: UIS8910 in practice). Every chip of the ASR family in scope is accepted.
fn agrees(said: &str, found: Platform) -> bool {
    let said = said.to_ascii_lowercase();
    let words: &[&str] = match found {
        Platform::Asr => &["asr", "asr1601", "asr1602", "asr1603", "asr1606", "asr1609"],
        Platform::Unisoc8910 => &["unisoc", "unisoc8910"],
        Platform::Unisoc8850 => &["unisoc", "unisoc8850"],
        Platform::Eigencomm618 => &["eigen"],
    };
    words.contains(&said.as_str())
}
