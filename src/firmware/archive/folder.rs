//! The members of a folder on disk.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Handle, Member, Spent, names};
use crate::firmware::error::PackageError;

/// Every file below `root`, sorted by name. A link or a special file anywhere is refused: what it shows may lie
/// outside the folder, or change while it is read.
pub(super) fn members(root: &Path, spent: &mut Spent) -> Result<Vec<Member>, PackageError> {
    let mut members = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let unreadable = |source| PackageError::Unreadable {
            place: folder.display().to_string(),
            source,
        };
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let name = format!("{prefix}{}", names::of_path(&path));
            if names::is_junk(&name) {
                continue;
            }
            let meta = path.symlink_metadata().map_err(unreadable)?;
            spent.members(&root.display().to_string(), 1)?;
            if meta.is_symlink() {
                return Err(PackageError::Link {
                    place: root.display().to_string(),
                    member: name,
                });
            } else if meta.is_dir() {
                folders.push((path, format!("{name}/")));
            } else if meta.is_file() {
                spent.bytes(&root.display().to_string(), meta.len())?;
                members.push(Member {
                    name,
                    size: meta.len(),
                    handle: Handle::Disk(path),
                });
            } else {
                return Err(PackageError::NotRegular {
                    place: path.display().to_string(),
                    kind: "a special file",
                });
            }
        }
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}

/// Reads a file that must still have the size it was listed with.
pub(super) fn read(path: &PathBuf, size: u64) -> Result<Vec<u8>, PackageError> {
    let bytes = head(
        path,
        usize::try_from(size.saturating_add(1)).unwrap_or(usize::MAX),
    )?;
    if bytes.len() as u64 == size {
        return Ok(bytes);
    }
    let source = std::io::Error::other("it changed while it was read");
    Err(PackageError::Unreadable {
        place: path.display().to_string(),
        source,
    })
}

pub(super) fn head(path: &PathBuf, limit: usize) -> Result<Vec<u8>, PackageError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit as u64).read_to_end(&mut bytes))
        .map_err(|source| PackageError::Unreadable {
            place: path.display().to_string(),
            source,
        })?;
    Ok(bytes)
}
