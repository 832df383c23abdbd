//! Recorded hosts: folders that look as sysfs, /proc, /etc and /run look on a real one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::module::udev;

/// A host in the making: Debian 12, nothing plugged in, nothing running.
struct Recorded(TempDir);

impl Recorded {
    fn new() -> Self {
        let host = Recorded(TempDir::new().unwrap());
        host.file("proc/sys/kernel/osrelease", "6.1.0-56-amd64\n")
            .file("proc/self/comm", "qpyflash\n")
            .file(udev::FILE, &udev::rules(udev::Choice::default()))
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn link(self, path: &str, target: &str) -> Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    /// A device at 1-4.2 whose interfaces have these drivers and ports.
    fn device(mut self, id: (&str, &str), speed: &str, interfaces: &[(u8, Option<(&str, &str)>)]) -> Self {
        let folder = "sys/bus/usb/devices/1-4.2";
        for (name, text) in [
            ("idVendor", id.0),
            ("idProduct", id.1),
            ("speed", speed),
            ("dev", "189:37"),
        ] {
            self = self.file(&format!("{folder}/{name}"), &format!("{text}\n"));
        }
        for (number, bound) in interfaces {
            let interface = format!("{folder}/1-4.2:1.{number}");
            self = self.file(
                &format!("{interface}/bInterfaceNumber"),
                &format!("{number:02x}\n"),
            );
            if let Some((driver, tty)) = bound {
                let tty_folder = if *driver == "cdc_acm" {
                    format!("tty/{tty}")
                } else {
                    format!("{tty}/tty/{tty}")
                };
                self = self
                    .link(&format!("{interface}/driver"), &format!("../../drivers/{driver}"))
                    .file(&format!("{interface}/{tty_folder}/dev"), "188:1\n")
                    .file(&format!("dev/{tty}"), "");
            }
        }
        self
    }

    /// An EC600N whose ports are all there.
    fn ec600n(self) -> Self {
        let ports = [
            (2, Some(("option", "ttyUSB0"))),
            (3, Some(("option", "ttyUSB1"))),
            (4, Some(("option", "ttyUSB2"))),
        ];
        self.device(("2c7c", "6001"), "480", &ports)
    }

    fn program(self, pid: u32, name: &str, open: &[&str]) -> Self {
        let host = self.file(&format!("proc/{pid}/comm"), &format!("{name}\n"));
        open.iter().enumerate().fold(host, |host, (number, node)| {
            host.link(&format!("proc/{pid}/fd/{number}"), node)
        })
    }

    fn examine(&self) -> Report {
        self.examine_as(|_| Ok(()))
    }

    fn examine_as(&self, may_open: fn(&Path) -> std::io::Result<()>) -> Report {
        let mut host = Host::recorded(self.0.path());
        host.may_open = may_open;
        examine(&host).unwrap()
    }
}

/// The finding of a check that is not as it should be.
#[track_caller]
fn trouble<'r>(report: &'r Report, check: &str) -> &'r Finding {
    let found = |finding: &&Finding| finding.check == check && finding.level != Level::Ok;
    let Some(finding) = report.findings.iter().find(found) else {
        panic!("{check} finds nothing: {report:#?}");
    };
    assert!(finding.remedy.is_some(), "{finding:?}");
    finding
}

#[track_caller]
fn assert_says(finding: &Finding, words: &[&str]) {
    let said = format!(
        "{} do: {}",
        finding.text,
        finding.remedy.as_deref().unwrap_or_default()
    );
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
}

#[test]
fn a_host_that_is_ready_has_nothing_to_do() {
    let report = Recorded::new()
        .ec600n()
        .program(77, "bash", &["/dev/null"])
        .examine();
    assert_eq!(report.exit_code, 0);
    assert!(
        report.findings.iter().all(|finding| finding.level == Level::Ok),
        "{report:#?}"
    );
    let checks: Vec<_> = report.findings.iter().map(|finding| finding.check).collect();
    assert_eq!(
        checks,
        ["module", "driver", "permission", "busy", "modem-manager", "udev"]
    );
}

#[test]
fn nothing_seen_is_an_obstacle_and_the_enclosure_is_named() {
    let report = Recorded::new().examine();
    assert_eq!(report.exit_code, 4);
    assert_says(trouble(&report, "module"), &["no module is seen", "charging"]);
    let enclosures = [
        (
            "sys/class/dmi/id/sys_vendor",
            "innotek GmbH\n",
            "a virtual machine (innotek)",
        ),
        (
            "proc/version",
            "Linux version 5.15.90.1-microsoft-standard-WSL2\n",
            "usbipd",
        ),
        ("run/.containerenv", "", "container"),
    ];
    for (file, text, words) in enclosures {
        let report = Recorded::new().file(file, text).examine();
        assert_says(report.findings.get(1).expect("a second finding"), &[words]);
    }
}

#[test]
fn a_gadget_and_an_adapter_are_no_modules_and_are_named() {
    let gadget = Recorded::new()
        .device(("0525", "a4a7"), "480", &[(0, Some(("cdc_acm", "ttyACM0")))])
        .examine();
    assert_eq!(gadget.exit_code, 4);
    assert_says(&gadget.findings[1], &["0525:a4a7 on 1-4.2", "gadget"]);
    let adapter = Recorded::new()
        .device(("10c4", "ea60"), "12", &[(0, Some(("cp210x", "ttyUSB0")))])
        .examine();
    assert_says(&adapter.findings[1], &["10c4:ea60 on 1-4.2", "--port"]);
}

#[test]
fn a_missing_driver_is_told_by_the_kernels_version() {
    let unbound = [(2, None), (3, None), (4, None)];
    let device = |pid| Recorded::new().device(("2c7c", pid), "480", &unbound);
    let report = device("6001").examine();
    assert_eq!(report.exit_code, 0);
    let finding = trouble(&report, "driver");
    assert_eq!(finding.level, Level::Warning);
    assert_says(
        finding,
        &[
            "since 6.7",
            "this is 6.1",
            "2c7c 6001 ff",
            "new_id",
            "over raw USB",
        ],
    );

    let newer = device("6001")
        .file("proc/sys/kernel/osrelease", "6.12.3\n")
        .examine();
    assert_says(trouble(&newer, "driver"), &["`sudo modprobe option`"]);
    assert_says(
        trouble(&device("0904").examine(), "driver"),
        &["no kernel", "2c7c 0904 ff"],
    );
    let acm = Recorded::new().device(("2ecc", "3004"), "480", &[(0, None), (1, None)]);
    assert_says(trouble(&acm.examine(), "driver"), &["modprobe cdc_acm"]);
    let rom = Recorded::new().device(("1782", "4d16"), "480", &[(0, None), (1, None)]);
    assert_says(
        trouble(&rom.examine(), "driver"),
        &["1782 4d16", "generic/new_id"],
    );
}

#[test]
fn raw_usb_needs_the_rights_to_the_device() {
    let denied = |node: &Path| match node.ends_with("dev/bus/usb/001/042") {
        true => Err(std::io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    };
    let host = Recorded::new()
        .device(("2c7c", "6001"), "480", &[(2, None), (3, None), (4, None)])
        .file("sys/bus/usb/devices/1-4.2/busnum", "1\n")
        .file("sys/bus/usb/devices/1-4.2/devnum", "42\n");
    let report = host.examine_as(denied);
    assert_eq!(report.exit_code, 8);
    assert_says(
        trouble(&report, "permission"),
        &["/dev/bus/usb/001/042 of", "udev --install"],
    );
}

#[test]
fn a_forbidden_port_is_named_beside_one_that_is_missing() {
    let denied = |node: &Path| match node.ends_with("dev/ttyUSB1") {
        true => Err(std::io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    };
    let ports = [(2, None), (3, None), (4, Some(("option", "ttyUSB1")))];
    let report = Recorded::new()
        .device(("2c7c", "6001"), "480", &ports)
        .examine_as(denied);
    assert_eq!(report.exit_code, 8);
    assert_says(trouble(&report, "permission"), &["/dev/ttyUSB1 of"]);
}

#[test]
fn an_interface_of_another_driver_is_not_reached() {
    let foreign = [
        (2, Some(("qmi_wwan", "x0"))),
        (3, Some(("qmi_wwan", "x1"))),
        (4, Some(("qmi_wwan", "x2"))),
    ];
    let host = Recorded::new().device(("2c7c", "6001"), "480", &foreign);
    (2..5).for_each(|number| {
        let ports = format!("sys/bus/usb/devices/1-4.2/1-4.2:1.{number}/x{}", number - 2);
        fs::remove_dir_all(host.0.path().join(ports)).unwrap();
    });
    let report = host.examine();
    assert_eq!(report.exit_code, 4);
    assert_eq!(trouble(&report, "driver").level, Level::Obstacle);
}

#[test]
fn a_missing_port_beside_usable_ones_only_warns() {
    let ports = [
        (2, None),
        (3, Some(("option", "ttyUSB0"))),
        (4, Some(("option", "ttyUSB1"))),
    ];
    let report = Recorded::new().device(("2c7c", "6001"), "480", &ports).examine();
    assert_eq!(report.exit_code, 0);
    assert_eq!(trouble(&report, "driver").level, Level::Warning);
}

#[test]
fn a_forbidden_port_is_named_with_its_rights_and_the_missing_group() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let denied = |_: &Path| Err(std::io::ErrorKind::PermissionDenied.into());
    let host = Recorded::new().ec600n();
    let node = host.0.path().join("dev/ttyUSB1");
    fs::set_permissions(&node, fs::Permissions::from_mode(0o660)).unwrap();
    let gid = fs::metadata(&node).unwrap().gid();
    let host = host.file("etc/group", &format!("dialout:x:{gid}:\n"));
    let report = host.examine_as(denied);
    assert_eq!(report.exit_code, 8);
    assert_says(
        trouble(&report, "permission"),
        &[
            "/dev/ttyUSB1",
            ":dialout 0660",
            "group `dialout`",
            "usermod -aG dialout",
        ],
    );
    fs::remove_file(host.0.path().join(udev::FILE.trim_start_matches('/'))).unwrap();
    let report = host.examine_as(denied);
    assert_says(trouble(&report, "permission"), &["udev --install"]);
}

#[test]
fn a_port_that_is_held_is_named_with_the_program() {
    let host = || Recorded::new().ec600n();
    let report = host()
        .program(311, "minicom", &["/dev/pts/0", "/dev/ttyUSB1"])
        .examine();
    assert_eq!(report.exit_code, 8);
    assert_says(
        trouble(&report, "busy"),
        &["/dev/ttyUSB1", "minicom (process 311)", "close minicom"],
    );
    let manager = host().program(9, "ModemManager", &["/dev/ttyUSB1"]).examine();
    assert_says(
        trouble(&manager, "busy"),
        &["ModemManager (process 9)", "--no-modem-manager"],
    );
}

#[test]
fn modem_manager_must_have_been_told() {
    let host = || Recorded::new().ec600n().program(9, "ModemManager", &[]);
    let report = host().examine();
    assert_eq!(report.exit_code, 0);
    assert_says(
        trouble(&report, "modem-manager"),
        &[
            "ModemManager (process 9)",
            "1-4.2 (2c7c:6001)",
            "--no-modem-manager",
        ],
    );
    let other = host().file(
        "run/udev/data/c189:37",
        "E:ID_MM_CANDIDATE=1\nE:ID_MM_DEVICE_IGNORE=0\n",
    );
    trouble(&other.examine(), "modem-manager");
    let told = host().file("run/udev/data/c189:37", "E:ID_BUS=usb\nE:ID_MM_DEVICE_IGNORE=1\n");
    assert!(
        told.examine()
            .findings
            .iter()
            .all(|finding| finding.level == Level::Ok)
    );
}

#[test]
fn brltty_matters_only_where_an_adapter_has_lost_its_port() {
    let rules = "usr/lib/udev/rules.d/85-brltty.rules";
    let adapter = |ports: &[(u8, Option<(&str, &str)>)]| {
        Recorded::new()
            .device(("1a86", "7523"), "12", ports)
            .file(rules, "# rules\n")
    };
    let taken = adapter(&[(0, None)]);
    assert_says(
        trouble(&taken.examine(), "brltty"),
        &["1a86:7523 on 1-4.2", "85-brltty.rules"],
    );
    let running = taken.program(50, "brltty", &[]);
    assert_says(trouble(&running.examine(), "brltty"), &["brltty (process 50)"]);
    let silent = |host: Recorded| !host.examine().findings.iter().any(|one| one.check == "brltty");
    assert!(silent(adapter(&[(0, Some(("ch341", "ttyUSB0")))])));
    assert!(silent(
        adapter(&[(0, None)]).link("etc/udev/rules.d/85-brltty.rules", "/dev/null")
    ));
    assert!(silent(Recorded::new().ec600n().file(rules, "# rules\n")));
}

#[test]
fn rules_that_are_missing_or_old_are_noticed() {
    let old = Recorded::new().ec600n().file(udev::FILE, "# rules of long ago\n");
    assert_says(
        trouble(&old.examine(), "udev"),
        &["not what this version installs", "--install"],
    );
    fs::remove_file(old.0.path().join(udev::FILE.trim_start_matches('/'))).unwrap();
    assert_says(trouble(&old.examine(), "udev"), &["there is no", "--install"]);
}

#[test]
fn a_module_in_download_mode_is_told_how_to_leave_it() {
    let acm = [(0, Some(("cdc_acm", "ttyACM0"))), (1, None)];
    let asr = Recorded::new().device(("2ecc", "3004"), "480", &acm).examine();
    assert_eq!(asr.exit_code, 0);
    assert_says(
        trouble(&asr, "download-mode"),
        &["2ecc:3004", "after a complete write", "--oc OC"],
    );
    let unisoc = Recorded::new().device(("0525", "a4a7"), "12", &acm).examine();
    assert!(!trouble(&unisoc, "download-mode").text.contains("complete write"));
}
