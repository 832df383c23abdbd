//! One run per module: a lock on the place where it is attached.
//!
//! A port is locked while it is open, but a module changes ports on its way through download mode, and a second
//! program could step in between. This lock is on the topology path, and the operating system drops it when the
//! program ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::OpenError;

/// The right to talk to the module at one place, until dropped.
#[derive(Debug)]
pub struct Owner {
    _lock: File,
}

impl Owner {
    /// Takes the place named `place`: a topology path, or the path of a port that has none. `bus` tells this
    /// host's own bus from virtual ones.
    ///
    /// # Errors
    /// [`OpenError::Busy`] when another run holds it.
    pub fn take(bus: &str, place: &str) -> Result<Self, OpenError> {
        let failed = |why: std::io::Error| OpenError::Failed {
            port: place.into(),
            why: format!("lock: {why}"),
        };
        let lock = open_lock(&lock_name(bus, place)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Owner { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Busy(place.into())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

fn lock_name(bus: &str, place: &str) -> PathBuf {
    let keep = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') {
            c
        } else {
            '_'
        }
    };
    format!("qpyflash-{bus}-{place}.lock")
        .chars()
        .map(keep)
        .collect::<String>()
        .into()
}

/// Opens the lock file in the first folder that allows it. A file that another user made can only be read, and
/// that is all a lock needs.
fn open_lock(name: &Path) -> std::io::Result<File> {
    let create = |path: &Path| {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .or_else(|_| File::open(path))
    };
    create(&Path::new("/run/lock").join(name)).or_else(|_| create(&std::env::temp_dir().join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_finds_the_place_taken_until_the_first_ends() {
        let bus = format!("test-{}", std::process::id());
        let first = Owner::take(&bus, "1-4.2").unwrap();
        assert!(matches!(Owner::take(&bus, "1-4.2"), Err(OpenError::Busy(_))));
        assert!(Owner::take(&bus, "1-4.3").is_ok());
        drop(first);
        assert!(Owner::take(&bus, "1-4.2").is_ok());
    }
}
