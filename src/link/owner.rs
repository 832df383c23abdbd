//! One run per module: a lock on the place where it is attached.
//!
//! A port is locked while it is open, but a module changes ports on its way through download mode, and a second
//! program could step in between. This lock is on the topology path, and the operating system drops it when the
//! program ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::holder::program;
use super::{Holder, OpenError};

/// The right to talk to the module at one place, until dropped.
#[derive(Debug)]
pub struct Owner {
    lock: File,
    path: PathBuf,
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
            why: format!("its lock cannot be taken: {why}"),
        };
        loop {
            let (lock, path) = open_lock(&lock_name(bus, place)).map_err(failed)?;
            let owner = match lock.try_lock() {
                Ok(()) => Owner { lock, path },
                Err(TryLockError::WouldBlock) => {
                    let (port, holder) = (place.into(), locker(&path));
                    return Err(OpenError::Busy { port, holder });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            };
            // Otherwise the run before us has removed the file after we had opened it: it locks nothing any more.
            if owner.is_current() {
                owner.sign();
                return Ok(owner);
            }
        }
    }

    /// Leaves word of who holds the place. A file that another user made cannot be signed, and locks all the same.
    fn sign(&self) {
        let _ = self.lock.set_len(0);
        let _ = write!(&self.lock, "{}", std::process::id());
    }

    /// Is the file that is locked the one that others find?
    #[cfg(unix)]
    fn is_current(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        match (self.lock.metadata(), std::fs::metadata(&self.path)) {
            (Ok(ours), Ok(found)) => (ours.dev(), ours.ino()) == (found.dev(), found.ino()),
            _ => false,
        }
    }

    /// A file that is open cannot be removed here.
    #[cfg(not(unix))]
    fn is_current(&self) -> bool {
        true
    }
}

impl Drop for Owner {
    /// While it is still locked, so that nobody takes a file that is about to go.
    fn drop(&mut self) {
        if self.is_current() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Who has signed the lock file, if that program still runs.
fn locker(path: &Path) -> Option<Holder> {
    let pid = std::fs::read_to_string(path).ok()?.parse().ok()?;
    program(Path::new("/proc"), pid)
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
fn open_lock(name: &Path) -> std::io::Result<(File, PathBuf)> {
    let create = |path: PathBuf| {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .or_else(|_| File::open(&path))?;
        Ok((file, path))
    };
    create(Path::new("/run/lock").join(name))
        .or_else(|_: std::io::Error| create(std::env::temp_dir().join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_finds_the_place_taken_until_the_first_ends() {
        let bus = format!("test-{}", std::process::id());
        let first = Owner::take(&bus, "1-4.2").unwrap();
        let Err(OpenError::Busy { holder, .. }) = Owner::take(&bus, "1-4.2") else {
            panic!("the place is taken");
        };
        let pid = holder.map(|holder| holder.pid);
        assert_eq!(pid, cfg!(target_os = "linux").then(std::process::id));
        assert!(Owner::take(&bus, "1-4.3").is_ok());
        let path = first.path.clone();
        drop(first);
        assert!(!path.exists());
        assert!(Owner::take(&bus, "1-4.2").is_ok());
    }
    #[test]
    fn never_gives_a_place_to_two_at_once() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let bus = format!("test-race-{}", std::process::id());
        let (owners, taken) = (AtomicU32::new(0), AtomicU32::new(0));
        let race = || {
            while taken.load(Ordering::SeqCst) < 500 {
                let Ok(owner) = Owner::take(&bus, "1-1") else {
                    continue;
                };
                assert_eq!(owners.fetch_add(1, Ordering::SeqCst), 0);
                taken.fetch_add(1, Ordering::SeqCst);
                owners.fetch_sub(1, Ordering::SeqCst);
                drop(owner);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(race);
            }
        });
    }
}
