//! Debian's kernel, its modules and udev: downloaded by apt, unpacked, never installed.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::kernel;

/// The package that depends on the newest kernel.
const NEWEST_KERNEL: &str = "linux-image-amd64";
/// Packages of which only files are used: udevd with its rules, and the rules that give ports to who sits there.
const USERLAND: [&str; 2] = ["udev", "systemd"];
/// What is taken out of the kernel's package.
const KERNEL_MEMBERS: [&str; 6] = [
    "./boot/vmlinuz-*",
    "./lib/modules/*/kernel/drivers/usb/*",
    "./lib/modules/*/kernel/drivers/net/usb/*",
    "./lib/modules/*/kernel/drivers/net/mii.ko*",
    "./lib/modules/*/kernel/drivers/virtio/*",
    "./lib/modules/*/kernel/drivers/char/*",
];

/// What was unpacked.
#[derive(Debug)]
pub struct Debian {
    /// The kernel in the form that boots fastest.
    pub kernel: PathBuf,
    /// `6.1.0-56-amd64`.
    pub release: String,
    /// Every `.ko` file taken, in one folder.
    pub modules: PathBuf,
    /// Root of the unpacked userland packages.
    pub userland: PathBuf,
}

/// Downloads and unpacks what is not there yet.
pub fn fetch(folder: &Path) -> Result<Debian, Box<dyn Error>> {
    let depends = output(Command::new("apt-cache").args(["depends", NEWEST_KERNEL]))?;
    let package = depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
        .ok_or_else(|| {
            format!("apt knows no kernel: {NEWEST_KERNEL} has no candidate; run `apt-get update`")
        })?
        .to_owned();
    let release = package.trim_start_matches("linux-image-").to_owned();
    let kept = folder.join(&package);
    if !kept.exists() {
        let draft = tempfile::Builder::new().prefix("fetch-").tempdir_in(folder)?;
        unpack_kernel(&download(draft.path(), &package)?, draft.path())?;
        for name in USERLAND {
            let deb = download(draft.path(), name)?;
            run(Command::new("dpkg-deb")
                .arg("-x")
                .arg(deb)
                .arg(draft.path().join("userland")))?;
        }
        arrange(draft.path(), &release)?;
        fs::rename(draft.keep(), &kept)?;
    }
    Ok(Debian {
        kernel: kept.join("kernel"),
        modules: kept.join("modules"),
        userland: kept.join("userland"),
        release,
    })
}

/// Puts the kernel and the modules where [`Debian`] says, and removes the rest.
fn arrange(draft: &Path, release: &str) -> Result<(), Box<dyn Error>> {
    kernel::unpack(
        &draft.join(format!("boot/vmlinuz-{release}")),
        &draft.join("kernel"),
    )?;
    let modules = draft.join("modules");
    fs::create_dir(&modules)?;
    for path in files(&draft.join("lib/modules"))? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        match name.strip_suffix(".xz") {
            None => fs::rename(&path, modules.join(name))?,
            Some(name) => fs::write(modules.join(name), kernel::unxz(fs::read(&path)?)?)?,
        }
    }
    fs::remove_dir_all(draft.join("boot"))?;
    fs::remove_dir_all(draft.join("lib"))?;
    Ok(())
}

fn download(folder: &Path, package: &str) -> Result<PathBuf, Box<dyn Error>> {
    run(Command::new("apt-get")
        .args(["download", "-qq", package])
        .current_dir(folder)
        .stderr(Stdio::null()))?;
    let prefix = format!("{package}_");
    let is_it = |path: &PathBuf| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        name.starts_with(&prefix) && name.ends_with(".deb")
    };
    let found = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .find(is_it);
    found.ok_or_else(|| format!("apt-get has not downloaded {package}").into())
}

fn unpack_kernel(deb: &Path, into: &Path) -> Result<(), Box<dyn Error>> {
    let mut archive = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdout(Stdio::piped())
        .spawn()?;
    let members = archive.stdout.take().ok_or("dpkg-deb has no output")?;
    // A pattern that this kernel has no file for makes tar fail: some of these are built in, or compressed.
    Command::new("tar")
        .args(["-x", "--wildcards", "-C"])
        .arg(into)
        .args(KERNEL_MEMBERS)
        .stdin(members)
        .stderr(Stdio::null())
        .status()?;
    archive.wait()?;
    fs::remove_file(deb)?;
    Ok(())
}

/// Every file under `folder`.
pub fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Runs a program to a good end.
pub fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    output(command).map(drop)
}

/// Runs a program to a good end and returns what it says.
pub fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ended = command
        .stdin(Stdio::null())
        .output()
        .map_err(|why| format!("cannot run {name}: {why}"))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        return Err(format!("{name} ended with {}: {}", ended.status, said.trim()).into());
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}
