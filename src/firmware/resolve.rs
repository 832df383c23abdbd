//! From whatever a person gave to the one payload in it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::rc::Rc;

use qpyflash_protocols::unisoc::Contents;
use sha2::{Digest, Sha256};

use super::archive::{Spent, Tree, folder_of, stem};
use super::error::PackageError;
use super::name::{FileName, Part};
use super::package::Package;
use super::payload::{Payload, hex};
use super::survey::{Candidate, Findings, Shape, survey};
use super::{evidence, platform_config};

/// Reads a package in any published form: a zip in a zip, a `.pac`, a `.binpkg`, a `firmware.bin` script or an
/// unpacked folder, whatever it is called. Everything a package can be checked for without a module is checked.
///
/// # Errors
/// [`crate::Error`] of a `package.…` kind: the file cannot be read, is damaged, breaks a limit, holds no
/// firmware, or holds several that differ.
pub fn resolve(path: &Path) -> Result<Package, crate::Error> {
    Ok(find(path)?.1)
}

/// The package and where in the file or folder it lies.
pub(crate) fn find(path: &Path) -> Result<(Candidate, Package), PackageError> {
    let mut spent = Spent::default();
    let tree = Tree::at(path, &mut spent)?;
    let mut findings = Findings::default();
    survey(&tree, &mut spent, &mut findings)?;
    let candidates = without_lookalikes(std::mem::take(&mut findings.candidates));
    let (candidate, payload) = the_only_one(path, candidates, &findings)?;
    let package = assemble(path, &tree, &candidate, payload)?;
    Ok((candidate, package))
}

/// Drops what lies beside a firmware and looks like one. Source: specs/identity.md §5.3.
///
/// Names only order candidates: what is dropped here always leaves another one. What a file really is, its
/// parser says.
fn without_lookalikes(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let all = candidates.clone();
    let kept: Vec<Candidate> = candidates
        .into_iter()
        .filter(|one| !is_shadowed(one, &all))
        .collect();
    let named_well: Vec<Candidate> = kept.iter().filter(|one| !is_tool_by_name(one)).cloned().collect();
    if named_well.is_empty() { kept } else { named_well }
}

/// A script beside its `download.json`, or the parts of a Unisoc build beside their `_merge.pac`.
fn is_shadowed(one: &Candidate, all: &[Candidate]) -> bool {
    all.iter().any(|other| match (one.shape, other.shape) {
        (Shape::AsrScript, Shape::AsrJson) => lies_beside(one, other),
        (Shape::Pac, Shape::Pac) => {
            let (whole, part) = (stem(other.name()), stem(one.name()));
            let below = |folder: &str| folder_of(folder) == other.folder();
            let near = one.folder() == other.folder() || below(one.folder());
            Rc::ptr_eq(&one.tree, &other.tree)
                && near
                && whole
                    .strip_suffix("_merge")
                    .is_some_and(|core| core == part || core.ends_with(&format!("_{part}")))
        }
        _ => false,
    })
}

/// Whether the script lies in the folder of the `download.json`, or beside the zip that holds it.
/// `download.json` is preferred: its decisions are visible. Source: specs/asr-aboot.md §5.1.
fn lies_beside(script: &Candidate, json: &Candidate) -> bool {
    let here = |tree: &Rc<Tree>, folder: &str| Rc::ptr_eq(&script.tree, tree) && script.folder() == folder;
    let zip = json.tree.parent.as_ref().filter(|_| json.folder().is_empty());
    let beside = |(tree, index): &(Rc<Tree>, usize)| {
        tree.members
            .get(*index)
            .is_some_and(|zip| here(tree, folder_of(&zip.name)))
    };
    here(&json.tree, json.folder()) || zip.is_some_and(beside)
}

/// `…_flash_delete.pac`, `…_pyfs_erase.pac` and everything in a build's `app` folder.
fn is_tool_by_name(one: &Candidate) -> bool {
    let part = FileName::parse(one.name()).map(|name| name.part());
    let stem = stem(one.name());
    let in_app = folder_of(one.name())
        .rsplit('/')
        .next()
        .is_some_and(|folder| folder.eq_ignore_ascii_case("app"));
    one.shape == Shape::Pac
        && (in_app
            || matches!(part, Some(Part::FlashDelete | Part::PyfsErase))
            || ["_flash_delete", "_pyfs_erase"]
                .iter()
                .any(|tool| stem.ends_with(tool)))
}

/// Loads the candidates; those with the same content are one, and a firmware stands above a core alone.
fn the_only_one(
    path: &Path,
    mut candidates: Vec<Candidate>,
    findings: &Findings,
) -> Result<(Candidate, Payload), PackageError> {
    let place = || path.display().to_string();
    if candidates.len() == 1
        && let Some(one) = candidates.pop()
    {
        let payload = Payload::load(&one)?;
        return Ok((one, payload));
    }
    let mut loaded: Vec<(Candidate, Payload)> = Vec::new();
    let mut refused = None;
    for candidate in candidates {
        match Payload::load(&candidate) {
            Ok(payload)
                if loaded
                    .iter()
                    .any(|(_, known)| known.fingerprint == payload.fingerprint) => {}
            Ok(payload) => loaded.push((candidate, payload)),
            // Tools and lone applications are set aside; damage is not, or a lesser file would take its place.
            Err(why @ PackageError::Unknown { .. }) => refused = Some(why),
            Err(why) => return Err(why),
        }
    }
    let contents: Vec<Option<Contents>> = loaded.iter().map(|(_, payload)| payload.pac_contents()).collect();
    if contents.contains(&Some(Contents::Whole)) {
        loaded.retain(|(_, payload)| payload.pac_contents() != Some(Contents::CoreOnly));
    }
    if loaded.len() > 1 {
        let candidates = loaded
            .iter()
            .map(|(candidate, payload)| evidence::describe(candidate, payload))
            .collect();
        return Err(PackageError::Ambiguous {
            place: place(),
            candidates,
        });
    }
    let nothing = || PackageError::Unknown {
        place: place(),
        found: what_was_seen(findings),
    };
    loaded.pop().ok_or_else(|| refused.unwrap_or_else(nothing))
}

fn what_was_seen(findings: &Findings) -> String {
    let wanted = "a `download.json`, a `.pac`, a `.binpkg` or a `firmware.bin` script";
    let count = match findings.files {
        1 => format!("by content the one file in it is not {wanted}"),
        files => format!("none of the {files} files in it is by content {wanted}"),
    };
    let others: Vec<&str> = findings.others.iter().take(8).map(String::as_str).collect();
    match others.is_empty() {
        true => count,
        false => format!("{count}; {}", others.join("; ")),
    }
}

fn assemble(
    path: &Path,
    tree: &Tree,
    candidate: &Candidate,
    payload: Payload,
) -> Result<Package, PackageError> {
    let mut warnings = payload.warnings.clone();
    warnings.extend(platform_config::check(candidate, payload.platform)?);
    let built_for = evidence::gather(candidate, &payload, &mut warnings)?;
    Ok(Package {
        platform: payload.platform,
        built_for,
        images: payload.images,
        helpers: payload.helpers,
        sha256: hash(path, tree)?,
        origin: candidate.origin(),
        warnings,
        plan: payload.plan,
    })
}

/// SHA-256 of the file, or of a folder: over name, NUL, size (eight bytes, little-endian) and bytes of each
/// member in order of names.
fn hash(path: &Path, tree: &Tree) -> Result<String, PackageError> {
    let mut digest = Sha256::new();
    if tree.origin.is_empty() {
        let unreadable = |source| PackageError::Unreadable {
            place: path.display().to_string(),
            source,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        io::copy(&mut file, &mut HashWriter(&mut digest)).map_err(unreadable)?;
        return Ok(hex(digest.finalize()));
    }
    for (index, member) in tree.members.iter().enumerate() {
        digest.update(member.name.as_bytes());
        digest.update([0]);
        digest.update(member.size.to_le_bytes());
        digest.update(tree.read(index)?);
    }
    Ok(hex(digest.finalize()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
