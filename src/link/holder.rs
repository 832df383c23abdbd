//! Which program holds a port, from Linux's /proc. Other users' programs can be looked into by root only, so a port
//! without a known holder may be held all the same.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// A running program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its name, as the kernel keeps it: at most 15 characters.
    pub name: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// The programs that run, by `proc`. A system without one has none that can be told.
pub fn programs(proc: &Path) -> impl Iterator<Item = Holder> {
    let folders = std::fs::read_dir(proc).into_iter().flatten().flatten();
    let proc = proc.to_owned();
    folders.filter_map(move |folder| {
        let pid: u32 = folder.file_name().to_str()?.parse().ok()?;
        program(&proc, pid)
    })
}

/// The program with that process id.
pub fn program(proc: &Path, pid: u32) -> Option<Holder> {
    let name = std::fs::read_to_string(proc.join(pid.to_string()).join("comm")).ok()?;
    Some(Holder {
        pid,
        name: name.trim_end().to_owned(),
    })
}

/// The program other than this one that has `port` open.
pub fn holder(proc: &Path, port: &Path) -> Option<Holder> {
    holders(proc, std::slice::from_ref(&port.to_owned()))
        .pop()
        .flatten()
}

/// For each port the program other than this one that has it open.
pub fn holders(proc: &Path, ports: &[PathBuf]) -> Vec<Option<Holder>> {
    let real: Vec<PathBuf> = ports
        .iter()
        .map(|port| port.canonicalize().unwrap_or_else(|_| port.clone()))
        .collect();
    let mut found = vec![None; ports.len()];
    for program in programs(proc).filter(|program| program.pid != std::process::id()) {
        let descriptors = std::fs::read_dir(proc.join(program.pid.to_string()).join("fd"));
        let open: Vec<PathBuf> = descriptors
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok())
            .collect();
        // Whoever holds the other end of a pseudo-terminal is its device and not its user.
        let is_device = open.iter().any(|path| path.ends_with("ptmx"));
        for open in open {
            if is_device && open.starts_with("/dev/pts") {
                continue;
            }
            for (port, holder) in real.iter().zip(&mut found).filter(|(port, _)| **port == open) {
                log::debug!("{} is open in {program}", port.display());
                holder.get_or_insert_with(|| program.clone());
            }
        }
    }
    found
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn names_the_program_that_has_a_port_open() {
        let root = tempfile::tempdir().unwrap();
        let proc = root.path().join("proc");
        for (pid, name) in [("412", "ModemManager\n"), ("77", "bash\n")] {
            std::fs::create_dir_all(proc.join(pid).join("fd")).unwrap();
            std::fs::write(proc.join(pid).join("comm"), name).unwrap();
        }
        std::fs::create_dir_all(proc.join("self")).unwrap();
        let (port, link, free) = (
            root.path().join("ttyUSB1"),
            root.path().join("by-path"),
            root.path().join("ttyUSB2"),
        );
        std::fs::write(&port, "").unwrap();
        std::os::unix::fs::symlink(&port, &link).unwrap();
        let real = port.canonicalize().unwrap();
        std::os::unix::fs::symlink(real, proc.join("412/fd/9")).unwrap();
        std::os::unix::fs::symlink("/dev/null", proc.join("77/fd/0")).unwrap();
        let found = holders(&proc, &[port, link, free]);
        let names: Vec<_> = found
            .iter()
            .map(|one| one.as_ref().map(ToString::to_string))
            .collect();
        let manager = Some("ModemManager (process 412)".to_owned());
        assert_eq!(names, [manager.clone(), manager, None]);
    }
}
