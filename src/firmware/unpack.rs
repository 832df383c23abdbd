//! What `unpack` does: the payload of a package as files in a folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{base_name, is_junk};
use super::error::PackageError;
use super::payload;
use super::resolve::find;
use super::survey::{Candidate, Shape, is_byproduct};

/// Writes the files that make up the package at `path` into `out`, and returns their paths.
///
/// The package is checked completely first. Nothing is written outside `out`, no file is replaced, and no link
/// below `out` is followed.
///
/// # Errors
/// As [`resolve`](super::resolve()), and when a file is there already or cannot be written.
pub fn unpack(path: &Path, out: &Path) -> Result<Vec<PathBuf>, crate::Error> {
    let (candidate, _) = find(path)?;
    Ok(write(&candidate, out)?)
}

fn write(candidate: &Candidate, out: &Path) -> Result<Vec<PathBuf>, PackageError> {
    let files = files(candidate)?;
    let places: Vec<PathBuf> = files.iter().map(|(name, _)| out.join(name)).collect();
    if let Some(place) = places.iter().find(|place| place.symlink_metadata().is_ok()) {
        return Err(PackageError::Exists {
            place: place.display().to_string(),
        });
    }
    fs::create_dir_all(out).map_err(|source| unwritable(out, source))?;
    for (name, _) in &files {
        make_folders(out, name)?;
    }
    for ((_, source), place) in files.iter().zip(&places) {
        let bytes = match source {
            Source::Member(index) => candidate.tree.read(*index)?.into(),
            Source::Part(bytes) => Arc::clone(bytes),
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(place)
            .map_err(|source| unwritable(place, source))?;
        file.write_all(&bytes)
            .map_err(|source| unwritable(place, source))?;
    }
    Ok(places)
}

/// Where the bytes of a file come from.
enum Source {
    /// A member of the archive.
    Member(usize),
    /// A part of a member.
    Part(Arc<[u8]>),
}

/// The files of the package, with their names below the output folder.
fn files(candidate: &Candidate) -> Result<Vec<(String, Source)>, PackageError> {
    let itself = || {
        (
            base_name(candidate.name()).to_owned(),
            Source::Member(candidate.index),
        )
    };
    let alone = candidate.tree.origin.is_empty();
    match candidate.shape {
        Shape::Pac => {
            // A file that was given is there already; one out of an archive stands beside a folder with its parts.
            let folder = match alone {
                true => String::new(),
                false => format!("{}/", folder_beside(candidate.name())),
            };
            let parts = payload::pac_parts(candidate)?
                .into_iter()
                .map(|(name, bytes)| (format!("{folder}{name}"), Source::Part(bytes)));
            Ok((!alone).then(itself).into_iter().chain(parts).collect())
        }
        Shape::AsrScript => Ok(vec![itself()]),
        Shape::AsrJson | Shape::Binpkg if alone => Ok(vec![itself()]),
        Shape::AsrJson | Shape::Binpkg => Ok(members(candidate)),
    }
}

/// `a` for `x/a.pac`, and a name of its own for `x/a`.
fn folder_beside(name: &str) -> String {
    let base = base_name(name);
    match base.rsplit_once('.') {
        Some((stem, _)) if !stem.trim_matches([' ', '.']).is_empty() => stem.to_owned(),
        _ => format!("{base}-parts"),
    }
}

fn members(candidate: &Candidate) -> Vec<(String, Source)> {
    let below = |name: &str| match candidate.folder() {
        "" => Some(name.to_owned()),
        folder => Some(name.strip_prefix(folder)?.strip_prefix('/')?.to_owned()),
    };
    let members = candidate.tree.members.iter().enumerate();
    members
        .filter_map(|(index, member)| Some((below(&member.name)?, Source::Member(index))))
        .filter(|(name, _)| !is_junk(name) && !is_byproduct(name))
        .collect()
}

/// Makes the folders above a file one by one, so that no link among them leads elsewhere.
fn make_folders(out: &Path, name: &str) -> Result<(), PackageError> {
    let mut folder = out.to_owned();
    let parts: Vec<&str> = name.split('/').collect();
    for part in parts.iter().take(parts.len().saturating_sub(1)) {
        folder.push(part);
        match folder.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => {
                return Err(PackageError::Exists {
                    place: folder.display().to_string(),
                });
            }
            Err(_) => fs::create_dir(&folder).map_err(|source| unwritable(&folder, source))?,
        }
    }
    Ok(())
}

fn unwritable(place: &Path, source: io::Error) -> PackageError {
    PackageError::Unwritable {
        place: place.display().to_string(),
        source,
    }
}
