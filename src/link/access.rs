//! May this user open a node, and if not, what would let them? Found out by asking the system, not from its name.

use std::path::Path;

use serde::Serialize;

/// Who may open a node, by its owner, group and mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rights {
    /// Name of the owner, or the number where it has no name.
    pub owner: String,
    /// Name of the group, or the number.
    pub group: String,
    /// The permission bits.
    pub mode: u32,
}

impl std::fmt::Display for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{} {:04o}", self.owner, self.group, self.mode)
    }
}

/// The group that may read and write: joining it opens the node.
const GROUP_MAY: u32 = 0o060;

impl Rights {
    /// The rights of a node; names are looked up in the folder `etc`.
    #[cfg(unix)]
    pub fn of(node: &Path, etc: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let about = std::fs::metadata(node).ok()?;
        Some(Rights {
            owner: name(&etc.join("passwd"), about.uid()),
            group: name(&etc.join("group"), about.gid()),
            mode: about.mode() & 0o7777,
        })
    }

    /// This system keeps no owner, group and mode.
    #[cfg(not(unix))]
    pub fn of(_: &Path, _: &Path) -> Option<Self> {
        None
    }

    /// The group a person would have to join.
    pub fn joinable(&self) -> Option<&str> {
        (self.mode & GROUP_MAY == GROUP_MAY && self.group != "root").then_some(self.group.as_str())
    }

    /// What opens the node to a person.
    pub fn remedy(&self) -> String {
        let rules = "install the udev rules (`sudo qpyflash udev --install`) and replug the module";
        match self.joinable() {
            Some(group) => {
                format!("{rules}, or join its group (`sudo usermod -aG {group} $USER`) and log in again")
            }
            None => rules.into(),
        }
    }
}

/// The name with that number in a file like /etc/passwd or /etc/group.
#[cfg(unix)]
fn name(file: &Path, number: u32) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let named = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| number.to_string())
}

/// May this user read and write the node? Lists of single users' rights, as udev's `uaccess` sets them, count too.
///
/// # Errors
/// `PermissionDenied` when not, `NotFound` when there is no such node.
#[cfg(unix)]
pub fn may_open(node: &Path) -> std::io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    Ok(accessat(
        CWD,
        node,
        Access::READ_OK | Access::WRITE_OK,
        AtFlags::EACCESS,
    )?)
}

/// Only opening a port tells here.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn may_open(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn names_owner_and_group_and_the_group_that_helps() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let root = tempfile::tempdir().unwrap();
        let node = root.path().join("ttyUSB1");
        std::fs::write(&node, "").unwrap();
        std::fs::set_permissions(&node, std::fs::Permissions::from_mode(0o660)).unwrap();
        let about = std::fs::metadata(&node).unwrap();
        let etc = root.path();
        std::fs::write(etc.join("passwd"), format!("me:x:{}:0::/:/bin/sh\n", about.uid())).unwrap();
        std::fs::write(
            etc.join("group"),
            format!("nobody:x:9\ndialout:x:{}:\n", about.gid()),
        )
        .unwrap();
        let rights = Rights::of(&node, etc).unwrap();
        assert_eq!(rights.to_string(), "me:dialout 0660");
        assert!(rights.remedy().contains("usermod -aG dialout"));
        let closed = Rights {
            mode: 0o600,
            ..rights
        };
        assert_eq!(closed.joinable(), None);
        assert!(may_open(&root.path().join("none")).is_err());
    }
}
