//! What a package is built for, and who says so.
//!
//! Names lie: files of one name differ in content. So every witness is heard, the strongest first, and what
//! contradicts is shown and left to the gate. Source: specs/identity.md §4.2, §4.3.

use qpyflash_protocols::Platform;

use super::archive::{base_name, folder_of};
use super::error::PackageError;
use super::name::FileName;
use super::package::{BuiltFor, Evidence, Image};
use super::payload::Payload;
use super::survey::{Candidate, Shape};
use crate::identity::{OrderingCode, Revision, platform_of_series, same_group};

/// Revisions that are listed of one image; a real one holds one or two.
const REVISIONS_PER_IMAGE: usize = 4;

/// One witness, understood.
struct Testimony {
    evidence: Evidence,
    ordering_code: OrderingCode,
    variant: Option<String>,
    /// A whole revision, when it comes from the payload or from what the build called it.
    revision: Option<Revision>,
}

impl Testimony {
    fn of_revision(from: String, revision: Revision) -> Testimony {
        Testimony {
            evidence: Evidence {
                from,
                value: revision.to_string(),
            },
            ordering_code: revision.ordering_code().clone(),
            variant: revision.variant(),
            revision: Some(revision),
        }
    }

    fn of_name(from: &str, text: &str, name: &FileName) -> Testimony {
        Testimony {
            evidence: Evidence {
                from: from.into(),
                value: text.into(),
            },
            ordering_code: name.ordering_code().clone(),
            variant: name.variant().map(str::to_owned),
            revision: None,
        }
    }
}

/// Hears every witness, strongest first, and warns of contradictions.
pub(crate) fn gather(
    candidate: &Candidate,
    payload: &Payload,
    warnings: &mut Vec<String>,
) -> Result<BuiltFor, PackageError> {
    let mut heard = inside(payload);
    if payload.platform == Platform::Asr {
        heard.extend(asr_build_names(candidate));
    }
    let names = inner_names(candidate);
    let given = candidate.origin().first().cloned().unwrap_or_default();
    let merged = names
        .iter()
        .map(|(_, text)| text)
        .chain([&given])
        .find_map(|text| FileName::parse(text)?.merged().map(str::to_owned));
    let as_testimony = |from: &str, text: &str| Some(Testimony::of_name(from, text, &FileName::parse(text)?));
    heard.extend(names.iter().filter_map(|(from, text)| as_testimony(from, text)));
    heard.extend(changelog(candidate)?);
    heard.extend(as_testimony("file name", &given));
    if let Some(date) = merged {
        warnings.push(format!(
            "a user's application was merged into it ({date}) and will be written too"
        ));
    }
    warn_of_contradictions(&heard, payload.platform, warnings);
    Ok(verdict(heard))
}

/// A candidate in one line, for the choice between several.
pub(crate) fn describe(candidate: &Candidate, payload: &Payload) -> String {
    let built_for = gather(candidate, payload, &mut Vec::new()).unwrap_or_default();
    let name = match (&built_for.series, &built_for.submodel) {
        (Some(series), Some(submodel)) => format!("{series}_{submodel}"),
        _ => "an unknown module".into(),
    };
    let revision = built_for
        .revision
        .map_or(String::new(), |revision| format!(", `{revision}`"));
    let print = payload.fingerprint.get(..12).unwrap_or_default();
    format!(
        "`{}`: {} for {name}{revision}, sha256 {print}…",
        candidate.place(),
        payload.platform.title()
    )
}

/// Revisions that stand in the payload: in the names of its table, then in the images that speak for the
/// module, then, when those are silent, in all others.
fn inside(payload: &Payload) -> Vec<Testimony> {
    let mut heard = Vec::new();
    for name in &payload.inner_names {
        let found = Revision::find_in(name.as_bytes()).into_iter();
        heard.extend(found.map(|revision| Testimony::of_revision("entry name".into(), revision)));
    }
    let speaks = |image: &&Image| payload.speakers.contains(&image.name);
    let scan = |image: &Image| {
        let found = Revision::find_in(&image.data)
            .into_iter()
            .take(REVISIONS_PER_IMAGE);
        let from = format!("revision in {}", image.name);
        found
            .map(move |revision| Testimony::of_revision(from.clone(), revision))
            .collect::<Vec<_>>()
    };
    heard.extend(payload.images.iter().filter(speaks).flat_map(scan));
    if heard.is_empty() {
        heard.extend(
            payload
                .images
                .iter()
                .filter(|image| !speaks(image))
                .flat_map(scan),
        );
    }
    heard
}

/// An ASR build writes its revision as the name of its zip and of the release file beside it.
/// Source: specs/identity.md §4.3.
fn asr_build_names(candidate: &Candidate) -> Vec<Testimony> {
    let archive = candidate
        .tree
        .origin
        .last()
        .filter(|_| candidate.shape == Shape::AsrJson);
    let mut heard: Vec<Testimony> = archive
        .and_then(|name| build_name("archive name", name))
        .into_iter()
        .collect();
    for (tree, folder) in candidate.surroundings().iter().skip(1) {
        let releases = tree.members.iter().filter(|member| {
            folder_of(&member.name) == folder && member.name.to_ascii_lowercase().ends_with(".json")
        });
        heard.extend(releases.filter_map(|member| build_name("release file", base_name(&member.name))));
    }
    heard
}

fn build_name(from: &str, text: &str) -> Option<Testimony> {
    let revision = FileName::parse(text)?.revision()?.clone();
    Some(Testimony::of_revision(from.into(), revision))
}

/// Names of the archives, folders and files on the way to the payload, the outermost excepted.
fn inner_names(candidate: &Candidate) -> Vec<(&'static str, String)> {
    let mut names: Vec<(&str, String)> = Vec::new();
    let mut known: Vec<FileName> = Vec::new();
    let files = candidate
        .origin()
        .into_iter()
        .skip(1)
        .rev()
        .map(|name| ("member name", name));
    let folders = candidate
        .surroundings()
        .into_iter()
        .map(|(_, path)| ("folder name", base_name(&path).to_owned()));
    for (from, name) in files.chain(folders) {
        let Some(parsed) = FileName::parse(&name) else {
            continue;
        };
        if !known.contains(&parsed) {
            known.push(parsed);
            names.push((from, name));
        }
    }
    names
}

/// The first name in brackets of the nearest `changelog.md`, whose newest entry stands first:
/// `**[QPY_OCPU_BETA0002_EC800G_CNLD_FW] 2024-10-16**`.
fn changelog(candidate: &Candidate) -> Result<Option<Testimony>, PackageError> {
    let nearest = candidate
        .surroundings()
        .into_iter()
        .find_map(|(tree, folder)| tree.find(&folder, "changelog.md").map(|index| (tree, index)));
    let Some((tree, index)) = nearest else {
        return Ok(None);
    };
    let bytes = tree.read(index)?;
    let text = String::from_utf8_lossy(&bytes);
    let heading = text.lines().find_map(|line| {
        let name = line.split_once('[')?.1.split_once(']')?.0;
        Some(Testimony::of_name("changelog.md", name, &FileName::parse(name)?))
    });
    Ok(heading)
}

fn warn_of_contradictions(heard: &[Testimony], platform: Platform, warnings: &mut Vec<String>) {
    let Some((first, others)) = heard.split_first() else {
        warnings.push("nothing in it says which module it is built for".into());
        return;
    };
    let says = |one: &Testimony| format!("{} `{}`", one.evidence.from, one.evidence.value);
    for other in others
        .iter()
        .filter(|other| !other.ordering_code.same_submodel(&first.ordering_code))
    {
        let shared = same_group(&first.ordering_code, &other.ordering_code);
        let note = if shared {
            " (both take the same firmware)"
        } else {
            ""
        };
        warnings.push(format!(
            "it contradicts itself: built for {} by its {}, for {} by its {}{note}",
            first.ordering_code.firmware_name(),
            says(first),
            other.ordering_code.firmware_name(),
            says(other),
        ));
    }
    let expected = platform_of_series(first.ordering_code.series());
    if expected.is_some_and(|expected| expected != platform) {
        warnings.push(format!(
            "it contradicts itself: its content is for {}, its {} names another platform",
            platform.title(),
            says(first)
        ));
    }
}

fn verdict(heard: Vec<Testimony>) -> BuiltFor {
    let Some(first) = heard.first() else {
        return BuiltFor::default();
    };
    let code = first.ordering_code.clone();
    let same = || heard.iter().filter(|one| one.ordering_code.same_submodel(&code));
    BuiltFor {
        series: Some(code.series().to_owned()),
        submodel: Some(code.submodel().to_owned()),
        variant: same().find_map(|one| one.variant.clone()),
        revision: same().find_map(|one| one.revision.as_ref().map(Revision::to_string)),
        evidence: heard.into_iter().map(|one| one.evidence).collect(),
    }
}
