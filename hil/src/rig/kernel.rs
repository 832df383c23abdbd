//! The kernel image, and the modules a guest needs with what they depend on.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Header fields of a bzImage. Source: the Linux kernel's Documentation/x86/boot.rst.
const SETUP_SECTORS: usize = 0x1F1;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24C;
const SECTOR_BYTES: usize = 512;
/// Bytes after the compressed payload that hold its unpacked length.
const LENGTH_BYTES: usize = 4;

/// Writes the ELF kernel that is packed in a bzImage to `into`: a guest that has to unpack it itself boots 2.7 s later
/// under TCG. A payload of another kind than xz is left packed, and boots all the same.
pub fn unpack(image: &Path, into: &Path) -> Result<(), Box<dyn Error>> {
    let bytes = fs::read(image)?;
    let unpacked = payload(&bytes).filter(|payload| payload.starts_with(b"\xFD7zXZ"));
    match unpacked.map(|payload| unxz(payload.to_vec())) {
        Some(Ok(kernel)) if kernel.starts_with(b"\x7FELF") => fs::write(into, kernel)?,
        _ => fs::write(into, bytes)?,
    }
    Ok(())
}

fn payload(image: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| {
        let bytes = image.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let start = (usize::from(*image.get(SETUP_SECTORS)?) + 1) * SECTOR_BYTES + word(PAYLOAD_OFFSET)?;
    image.get(start..start + word(PAYLOAD_LENGTH)?.checked_sub(LENGTH_BYTES)?)
}

/// Unpacks an xz stream with busybox, which the guest needs anyway.
pub fn unxz(packed: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut child = Command::new("busybox")
        .args(["unxz", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("busybox has no input")?;
    let writer = std::thread::spawn(move || stdin.write_all(&packed));
    let ended = child.wait_with_output()?;
    match writer.join() {
        Ok(Ok(())) if ended.status.success() => Ok(ended.stdout),
        _ => Err(format!("busybox unxz ended with {}", ended.status).into()),
    }
}

/// One module and the names of those it needs.
#[derive(Debug, Clone)]
pub struct Module {
    pub name: String,
    pub path: PathBuf,
    pub needs: Vec<String>,
}

/// The modules in `wanted`, and everything they need. A name that is no module is built in, or missed at boot.
pub fn closure(folder: &Path, wanted: &[&str]) -> Result<Vec<Module>, Box<dyn Error>> {
    let mut found: Vec<Module> = Vec::new();
    let mut open: Vec<String> = wanted.iter().map(|name| plain(name)).collect();
    let files: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    while let Some(name) = open.pop() {
        let stem = |path: &PathBuf| path.file_stem().and_then(|stem| stem.to_str()).map(plain);
        let is_known = found.iter().any(|module| module.name == name);
        let Some(path) = files
            .iter()
            .find(|path| !is_known && stem(path).as_ref() == Some(&name))
        else {
            continue;
        };
        let needs = needs(&fs::read(path)?);
        open.extend(needs.iter().cloned());
        found.push(Module {
            name,
            path: path.clone(),
            needs,
        });
    }
    Ok(found)
}

/// The lines of a `modules.dep`: each module, and everything it needs, what must be loaded first at the end.
pub fn dependencies(modules: &[Module]) -> String {
    fn collect(modules: &[Module], name: &str, before: &mut Vec<String>) {
        for needed in modules
            .iter()
            .filter(|module| module.name == name)
            .flat_map(|module| &module.needs)
        {
            // One that is needed again, deeper, must be loaded earlier.
            before.retain(|known| known != needed);
            before.push(needed.clone());
            collect(modules, needed, before);
        }
    }
    let line = |module: &Module| {
        let mut before = Vec::new();
        collect(modules, &module.name, &mut before);
        let before: Vec<String> = before.iter().map(|name| format!("{name}.ko")).collect();
        format!("{}.ko: {}\n", module.name, before.join(" "))
    };
    modules.iter().map(line).collect()
}

/// Module names are written with `-` and `_` alike.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

/// The modules that a module's `depends=` names.
fn needs(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(place) = module.windows(KEY.len()).position(|bytes| bytes == KEY) else {
        return Vec::new();
    };
    let list = module[place + KEY.len()..]
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    let list = String::from_utf8_lossy(list);
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(plain)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_deeper_is_loaded_earlier() {
        let module = |name: &str, needs: &[&str]| Module {
            name: name.into(),
            path: PathBuf::new(),
            needs: needs.iter().map(ToString::to_string).collect(),
        };
        let modules = [
            module("option", &["usbcore", "usb_wwan", "usbserial"]),
            module("usb_wwan", &["usbserial", "usbcore"]),
            module("usbserial", &["usbcore"]),
            module("usbcore", &[]),
        ];
        let first = "option.ko: usb_wwan.ko usbserial.ko usbcore.ko\n";
        assert!(
            dependencies(&modules).starts_with(first),
            "{}",
            dependencies(&modules)
        );
    }

    #[test]
    fn reads_what_a_module_needs() {
        assert_eq!(
            needs(b"license=GPL\0depends=usb-common,usbcore\0retpoline=Y\0"),
            ["usb_common", "usbcore"]
        );
        assert!(needs(b"license=GPL\0depends=\0").is_empty());
    }
}
