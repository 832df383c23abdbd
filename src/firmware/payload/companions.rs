//! The files that lie beside a `.binpkg`, found by name wherever the archive's maker put them.
//!
//! Folder names and file sets vary between releases, so a file is looked for beside the package first, then in the
//! folders below it, then round the package's folder. A folder that holds another package is never searched: its
//! agent may be another chip's. Source: specs/eigencomm-agentboot.md §2.6 (V; the depth ?).

use std::sync::Arc;

use qpyflash_protocols::FormatError;

use super::format_error;
use crate::firmware::archive::{folder_of, is_junk};
use crate::firmware::error::PackageError;
use crate::firmware::survey::{Candidate, is_byproduct};

/// How many folders below the searched one a file may lie. Source: §2.6 (?).
const DEPTH: usize = 3;

/// The bytes of the file at `path`, as `agentboot_usb/agentboot.bin`; nothing when it is nowhere.
///
/// # Errors
/// The archive's when it cannot be read; a contradiction when two different files would do.
pub(super) fn companion(candidate: &Candidate, path: &str) -> Result<Option<Arc<[u8]>>, PackageError> {
    for folder in folders(candidate) {
        let found = nearest(candidate, folder, path);
        let Some((&first, others)) = found.split_first() else {
            continue;
        };
        let bytes = candidate.tree.read(first)?;
        for &other in others {
            if candidate.tree.read(other)? != bytes {
                let members = &candidate.tree.members;
                return Err(PackageError::Contradiction {
                    place: candidate.place(),
                    why: format!("`{}` and `{}` differ", members[first].name, members[other].name),
                });
            }
        }
        return Ok(Some(bytes.into()));
    }
    Ok(None)
}

/// The same, for a file that must be there.
///
/// # Errors
/// Also [`FormatError::Missing`].
pub(super) fn needed(candidate: &Candidate, path: &str) -> Result<Arc<[u8]>, PackageError> {
    companion(candidate, path)?.ok_or_else(|| {
        let what = format!("`{path}`");
        format_error(candidate, FormatError::Missing { what })
    })
}

/// The folders of the candidate's tree that hold it and no other package, the innermost first.
fn folders(candidate: &Candidate) -> Vec<&str> {
    let packages: Vec<&str> = candidate
        .tree
        .members
        .iter()
        .enumerate()
        .filter(|(index, member)| *index == candidate.index || is_package(&member.name))
        .map(|(_, member)| member.name.as_str())
        .collect();
    let mut folders = vec![candidate.folder()];
    while let Some(inner) = folders.last().filter(|inner| !inner.is_empty()) {
        folders.push(folder_of(inner));
    }
    folders.retain(|folder| {
        packages
            .iter()
            .filter(|name| inside(folder, name).is_some())
            .count()
            == 1
    });
    folders
}

fn is_package(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("binpkg") && !is_byproduct(name) && !is_junk(name)
}

/// The members that `path` names, seen from the shallowest folder below `folder` that has any.
fn nearest(candidate: &Candidate, folder: &str, path: &str) -> Vec<usize> {
    let depth = |name: &str| {
        let rest = inside(folder, name)?;
        let above = rest.len().checked_sub(path.len())?;
        let (above, own) = (rest.get(..above)?, rest.get(above..)?);
        let fits = own.eq_ignore_ascii_case(path) && (above.is_empty() || above.ends_with('/'));
        let depth = above.matches('/').count();
        (fits && depth <= DEPTH && !is_junk(name) && !is_byproduct(name)).then_some(depth)
    };
    let found: Vec<(usize, usize)> = candidate
        .tree
        .members
        .iter()
        .enumerate()
        .filter_map(|(index, member)| Some((depth(&member.name)?, index)))
        .collect();
    let shallowest = found.iter().map(|(depth, _)| *depth).min();
    found
        .into_iter()
        .filter(|(depth, _)| Some(*depth) == shallowest)
        .map(|(_, index)| index)
        .collect()
}

/// What is left of a member's path below `folder`.
fn inside<'n>(folder: &str, name: &'n str) -> Option<&'n str> {
    match folder {
        "" => Some(name),
        _ => name.strip_prefix(folder)?.strip_prefix('/'),
    }
}
