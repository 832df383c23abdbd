//! A little language for cases, and its decisions by subject.
//!
//! - package: platform, file name, whole revisions found inside;
//! - module: who tells (`AT`, `REPL`, `AT?` when only one of two questions was answered) and the revision;
//!   `usb=` the platform its USB id proves; `down` for download mode;
//! - operator: the label; `for=` what `--built-for` states.

mod backups;
mod decisions;
mod permits;
mod scans;
mod words;

use super::*;
use crate::firmware::{BuiltFor, Evidence, FileName};
use crate::identity::{Revision, Source, Witness};

const PLACE: &str = "1-4.2 (/dev/ttyUSB1)";

fn code(text: &str) -> OrderingCode {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn platform(name: &str) -> Platform {
    Platform::ALL
        .into_iter()
        .find(|platform| platform.name() == name)
        .unwrap()
}

/// As `firmware` would find it: the revisions inside, then the file name.
fn package(text: &str) -> Arc<Package> {
    let words: Vec<&str> = text.split(' ').collect();
    let inside = words[2..]
        .iter()
        .map(|revision| ("revision in system.img", *revision));
    let name = FileName::parse(words[1]).map(|_| ("file name", words[1]));
    let evidence: Vec<Evidence> = inside
        .chain(name)
        .map(|(from, value)| Evidence {
            from: from.into(),
            value: value.into(),
        })
        .collect();
    let revision: Option<Revision> = words.get(2).and_then(|text| text.parse().ok());
    let named = FileName::parse(words[1]);
    let first = revision
        .as_ref()
        .map(Revision::ordering_code)
        .or(named.as_ref().map(FileName::ordering_code));
    let built_for = BuiltFor {
        series: first.map(|code| code.series().to_owned()),
        submodel: first.map(|code| code.submodel().to_owned()),
        variant: named.as_ref().and_then(|name| name.variant().map(str::to_owned)),
        revision: revision.as_ref().map(Revision::to_string),
        evidence,
    };
    Arc::new(Package::for_decision(platform(words[0]), words[1], built_for))
}

fn module(text: &str) -> Option<Identity> {
    let mut words = text.split(' ');
    let (source, trusted) = match words.next()? {
        "AT" => (Source::At, true),
        "AT?" => (Source::At, false),
        "REPL" => (Source::Repl, true),
        _ => return None,
    };
    let text = words.next()?;
    let mut identity = Identity::unknown(source);
    identity.revision = text.parse().ok();
    identity.revision_text = Some(text.into());
    identity.witness = match source {
        Source::At => identity.revision.as_ref().map(Revision::witness),
        Source::Repl => Some(Witness::QuecPython),
    };
    identity.ordering_code = identity
        .revision
        .as_ref()
        .filter(|_| trusted)
        .map(|r| r.ordering_code().clone());
    Some(identity)
}

fn decide(pack: &str, module_text: &str, operator: &str) -> Result<WritePermit, Refusal> {
    let identity = module(module_text);
    let usb = module_text
        .split(' ')
        .find_map(|word| word.strip_prefix("usb="))
        .map(platform);
    let stated = operator
        .split(' ')
        .find_map(|word| word.strip_prefix("for="))
        .map(code);
    let label = operator
        .split(' ')
        .find(|word| !word.is_empty() && !word.contains('='))
        .map(code);
    let claim = Claim {
        label: label.as_ref(),
        identity: identity.as_ref(),
        platform_by_usb: usb,
        built_for: stated.as_ref(),
        production: false,
        purpose: Purpose::Write,
        backup: None,
        scan: None,
        download_mode: module_text.starts_with("down"),
        place: PLACE,
    };
    clear(&package(pack), &claim)
}
