//! The guest's whole world: an archive of files in the kernel's newc form. Source: the Linux kernel's
//! Documentation/driver-api/early-userspace/buffer-format.rst.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: u32 = 0o040_755;
const LINK: u32 = 0o120_777;
const FILE: u32 = 0o100_000;
const CONSOLE: u32 = 0o020_600;
/// Major and minor number of `/dev/console`.
const CONSOLE_DEVICE: (u32, u32) = (5, 1);

/// An archive in the making.
#[derive(Debug, Default)]
pub struct Initramfs {
    bytes: Vec<u8>,
    members: u32,
    names: BTreeSet<String>,
}

impl Initramfs {
    /// Adds an empty folder, and those it is in.
    pub fn folder(&mut self, path: &str) {
        let path = path.trim_matches('/');
        if path.is_empty() || !self.names.insert(path.to_owned()) {
            return;
        }
        self.parent(path);
        self.member(path, FOLDER, &[], (0, 0));
    }

    /// Adds a file with these permissions. The first of a name stays.
    pub fn file(&mut self, path: &str, permissions: u32, bytes: &[u8]) {
        self.entry(path, FILE | permissions, bytes, (0, 0));
    }

    pub fn link(&mut self, path: &str, to: &str) {
        self.entry(path, LINK, to.as_bytes(), (0, 0));
    }

    /// Adds the console, to which the kernel connects the first program.
    pub fn console(&mut self) {
        self.entry("/dev/console", CONSOLE, &[], CONSOLE_DEVICE);
    }

    /// Adds a program of this machine under another path, with the libraries that it loads.
    pub fn program(&mut self, path: &str, source: &Path) -> Result<(), Box<dyn Error>> {
        self.file(path, 0o755, &read(source)?);
        for library in libraries(source)? {
            self.file(&library.to_string_lossy(), 0o755, &read(&library)?);
        }
        Ok(())
    }

    /// The archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.member("TRAILER!!!", 0, &[], (0, 0));
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, bytes: &[u8], device: (u32, u32)) {
        let path = path.trim_matches('/');
        if self.names.insert(path.to_owned()) {
            self.parent(path);
            self.member(path, mode, bytes, device);
        }
    }

    fn parent(&mut self, path: &str) {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.folder(parent);
        }
    }

    fn member(&mut self, name: &str, mode: u32, bytes: &[u8], (major, minor): (u32, u32)) {
        self.members += 1;
        let (size, name_size) = (bytes.len() as u32, name.len() as u32 + 1);
        let fields = [
            self.members,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            major,
            minor,
            name_size,
            0,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(bytes);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    fs::read(path).map_err(|why| format!("cannot read {}: {why}", path.display()).into())
}

/// The shared objects that a program loads, as the linker of this machine finds them; none for a static one.
fn libraries(program: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let listing = Command::new("ldd").arg(program).output()?;
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    if let Some(missing) = listing.lines().find(|line| line.contains("not found")) {
        return Err(format!("{} needs {}", program.display(), missing.trim()).into());
    }
    let path = |line: &str| {
        let path = line.split_whitespace().find(|word| word.starts_with('/'))?;
        Some(PathBuf::from(path))
    };
    Ok(listing
        .lines()
        .filter(|line| line.contains(" (0x"))
        .filter_map(path)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_kernels_form() {
        let mut archive = Initramfs::default();
        archive.file("/a/b", 0o644, b"text");
        archive.file("/a/b", 0o644, b"not again");
        let bytes = archive.finish();
        let folder = b"07070100000001000041ED000000000000000000000001000000000000000000000000000000000000000000000000000000020000\
0000a\0";
        assert_eq!(bytes[..folder.len()], folder[..]);
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(text.matches("070701").count(), 3);
        assert!(text.contains("a/b\0\0\0text070701"), "{text}");
        assert!(text.contains("TRAILER!!!"));
        assert_eq!(bytes.len() % 4, 0);
    }
}
