//! One boot of the guest: it plays the scenarios, reports over its second serial port, and switches itself off.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use qpyflash_usb_rig::Report;

use super::debian::Debian;
use super::initramfs::Initramfs;
use super::kernel;

/// TCG, because the KVM of many machines in data centres cannot run this kernel; `RIG_ACCEL=kvm` where it can.
const ACCELERATOR: (&str, &str) = ("RIG_ACCEL", "tcg,thread=multi,tb-size=128");
/// Kernel options that make it boot faster or say less.
const KERNEL_OPTIONS: &str =
    "console=ttyS0 panic=-1 rdinit=/init mitigations=off nokaslr cryptomgr.notests loglevel=4";
/// udev's rules that matter to USB and serial ports.
const RULES: [&str; 6] = [
    "50-udev-default.rules",
    "60-serial.rules",
    "70-uaccess.rules",
    "71-seat.rules",
    "73-seat-late.rules",
    "80-drivers.rules",
];
/// The groups that those rules name; the number is the place, but for dialout.
const GROUPS: &str = "root:x:0:\ntty:x:5:\ndisk:x:6:\nlp:x:7:\nkmem:x:15:\ndialout:x:20:\ncdrom:x:24:\nfloppy:x:25:\n\
tape:x:26:\naudio:x:29:\nvideo:x:44:\nplugdev:x:46:\ninput:x:101:\nsgx:x:102:\nkvm:x:103:\nrender:x:104:\nperson:x:1000:\n";
const USERS: &str = "root:x:0:0:root:/:/bin/sh\nperson:x:1000:1000:person:/work:/bin/sh\n";
/// Interval between two looks at a running guest.
const GLANCE: Duration = Duration::from_millis(50);
/// Lines of the console that an error shows.
const LAST_LINES: usize = 40;

/// What to boot.
pub struct Boot<'a> {
    pub folder: &'a Path,
    pub debian: &'a Debian,
    pub programs: &'a [PathBuf],
    /// Names its files in the folder.
    pub name: &'a str,
    /// Kernel modules that its first program loads, in this order.
    pub modules: &'a [&'a str],
    /// What QEMU has beside a console and a line for reports.
    pub devices: Vec<String>,
    /// Of the program that runs in it.
    pub arguments: Vec<String>,
    /// It is ended after that time.
    pub within: Duration,
}

/// A running guest. Dropping it ends it.
pub struct Guest {
    qemu: Child,
    console: PathBuf,
    results: PathBuf,
    deadline: Instant,
    within: Duration,
}

impl Guest {
    /// Packs the guest's files and starts QEMU.
    pub fn boot(boot: &Boot) -> Result<Self, Box<dyn Error>> {
        let file = |kind: &str| boot.folder.join(format!("{}.{kind}", boot.name));
        let (archive, console, results) = (file("initramfs"), file("console"), file("results"));
        fs::write(&archive, pack(boot)?)?;
        fs::write(&results, "")?;
        let accelerator = std::env::var(ACCELERATOR.0).unwrap_or(ACCELERATOR.1.into());
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"])
            .args(["-M", "pc", "-m", "512", "-smp", "1", "-accel", &accelerator])
            .arg("-kernel")
            .arg(&boot.debian.kernel)
            .arg("-initrd")
            .arg(&archive)
            .args(["-append", KERNEL_OPTIONS])
            .args(["-chardev", &format!("file,id=console,path={}", console.display())])
            .args(["-chardev", &format!("file,id=results,path={}", results.display())])
            .args(["-serial", "chardev:console", "-serial", "chardev:results"])
            .args(&boot.devices)
            .stdin(Stdio::null());
        let qemu = command
            .spawn()
            .map_err(|why| format!("cannot start qemu-system-x86_64: {why}"))?;
        Ok(Guest {
            qemu,
            console,
            results,
            deadline: Instant::now() + boot.within,
            within: boot.within,
        })
    }

    /// Hands on each report as it comes, until the guest has ended.
    ///
    /// # Errors
    /// With its last words, when it did not end by itself.
    pub fn watch(mut self, mut report: impl FnMut(Report)) -> Result<(), Box<dyn Error>> {
        let mut results = BufReader::new(File::open(&self.results)?);
        let (mut line, mut has_ended) = (String::new(), false);
        loop {
            let is_running = self.qemu.try_wait()?.is_none();
            while let Some(text) = next_line(&mut results, &mut line)? {
                match serde_json::from_str(&text) {
                    Ok(found) => report(found),
                    Err(_) if text.starts_with("end ") => has_ended = true,
                    Err(why) => return Err(self.failed(&format!("reports `{text}`: {why}"))),
                }
            }
            if !is_running {
                return if has_ended {
                    Ok(())
                } else {
                    Err(self.failed("has crashed"))
                };
            }
            if Instant::now() > self.deadline {
                self.qemu.kill()?;
                return Err(self.failed(&format!("hangs: no end within {} s", self.within.as_secs())));
            }
            sleep(GLANCE);
        }
    }

    fn failed(&self, what: &str) -> Box<dyn Error> {
        let text = fs::read(&self.console).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        format!("the guest {what}; the end of {}:\n{last}", self.console.display()).into()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// The next whole line; none while it is still being written.
fn next_line(from: &mut BufReader<File>, line: &mut String) -> std::io::Result<Option<String>> {
    line.clear();
    let count = from.read_line(line)?;
    if line.ends_with('\n') {
        return Ok(Some(line.trim().to_owned()));
    }
    from.seek(SeekFrom::Current(-(count as i64)))?;
    Ok(None)
}

fn pack(boot: &Boot) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut files = Initramfs::default();
    for folder in [
        "/proc",
        "/sys",
        "/dev",
        "/run",
        "/tmp",
        "/work",
        "/etc/udev/rules.d",
        "/var",
    ] {
        files.folder(folder);
    }
    files.console();
    files.file("/init", 0o755, INIT.as_bytes());
    files.file("/arguments", 0o644, boot.arguments.join("\n").as_bytes());
    files.file("/etc/passwd", 0o644, USERS.as_bytes());
    files.file("/etc/group", 0o644, GROUPS.as_bytes());
    files.program("/bin/busybox", Path::new("/bin/busybox"))?;
    for program in boot.programs {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        files.program(&format!("/bin/{name}"), program)?;
    }
    let userland = &boot.debian.userland;
    files.program("/bin/udevadm", &userland.join("bin/udevadm"))?;
    files.link("/lib/systemd/systemd-udevd", "/bin/udevadm");
    for rules in RULES {
        let rules = format!("lib/udev/rules.d/{rules}");
        files.file(&rules, 0o644, &fs::read(userland.join(&rules))?);
    }
    let home = format!("lib/modules/{}", boot.debian.release);
    let modules = kernel::closure(&boot.debian.modules, boot.modules)?;
    for module in &modules {
        files.file(
            &format!("{home}/{}.ko", module.name),
            0o644,
            &fs::read(&module.path)?,
        );
    }
    files.file(
        &format!("{home}/modules.dep"),
        0o644,
        kernel::dependencies(&modules).as_bytes(),
    );
    files.file("/modules", 0o644, boot.modules.join("\n").as_bytes());
    Ok(files.finish())
}

/// The guest's first program.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts
for folder in /run /tmp /work; do mount -t tmpfs -o mode=1777 none $folder; done
for module in $(cat /modules); do modprobe $module || echo "no module $module"; done
/lib/systemd/systemd-udevd --daemon --resolve-names=late
udevadm trigger --action=add
udevadm settle
set -f
IFS='
'
qpyflash-usb-rig $(cat /arguments)
echo "end $?" >/dev/ttyS1
poweroff -f
"#;
