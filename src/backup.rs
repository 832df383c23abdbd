//! What must not be lost with a module's flash, kept on disk before the first erase: NV items, calibration, IMEI.
//!
//! ```text
//! <state directory>/backups/<IMEI>/20261122T101530Z-nv.bin
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A folder for the backups of one module.
#[derive(Debug, Clone)]
pub struct Backups {
    root: PathBuf,
    name: String,
}

impl Backups {
    /// The backups of the module `name` (its IMEI, or its place where the IMEI is unknown), in `folder` or, by
    /// default, in this user's state directory.
    ///
    /// # Errors
    /// When the system names no directory for this user; then `folder` must be given.
    pub fn of(name: &str, folder: Option<&Path>) -> io::Result<Self> {
        let root = match folder {
            Some(folder) => folder.to_path_buf(),
            None => state_directory()?.join("backups"),
        };
        let mut backups = Backups {
            root,
            name: String::new(),
        };
        backups.rename(name);
        Ok(backups)
    }

    /// The module turned out to be `name`.
    pub fn rename(&mut self, name: &str) {
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        };
        self.name = name.chars().map(safe).collect();
    }

    /// Where this module's backups lie.
    pub fn folder(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    /// Writes a backup of `what` and returns its path. When this returns, the bytes are on the disk and not only
    /// on their way there. An existing backup is never overwritten.
    ///
    /// # Errors
    /// The operating system's.
    pub fn keep(&self, what: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let folder = self.folder();
        fs::create_dir_all(&folder)?;
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        for copy in 0..100_u32 {
            let suffix = if copy == 0 {
                String::new()
            } else {
                format!("-{copy}")
            };
            let path = folder.join(format!("{time}-{what}{suffix}.bin"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    file.write_all(bytes)?;
                    file.sync_all()?;
                    sync_folder(&folder)?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a hundred backups were made within one second",
        ))
    }
}

/// This user's state directory.
pub(crate) fn state_directory() -> io::Result<PathBuf> {
    let none = || {
        io::Error::new(
            io::ErrorKind::NotFound,
            "this system names no state directory: give a folder",
        )
    };
    let directories = directories::ProjectDirs::from("", "", "qpyflash").ok_or_else(none)?;
    Ok(directories
        .state_dir()
        .unwrap_or_else(|| directories.data_local_dir())
        .to_path_buf())
}

/// A new file is safe only when its name is on the disk, too.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_backup_under_a_name_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let backups = Backups::of("866327040830317", Some(folder.path())).unwrap();
        let first = backups.keep("nv", b"first").unwrap();
        let second = backups.keep("nv", b"second").unwrap();
        assert_ne!(first, second);
        assert_eq!(fs::read(first).unwrap(), b"first");
        assert_eq!(fs::read(second).unwrap(), b"second");
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Backups::of("../../etc", Some(folder.path()))
            .unwrap()
            .keep("nv", b"x")
            .unwrap();
        assert!(kept.starts_with(folder.path()), "{}", kept.display());
    }
}
