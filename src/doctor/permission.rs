//! May this user open the ports? Found out by asking the system. Source: specs/usb-and-hosts.md §3.1.

use std::path::PathBuf;

use super::driver::raw_usb;
use super::{Finding, Host, Seen, name};
use crate::error::Kind;
use crate::link::Rights;
use crate::module::Attached;

const CHECK: &str = "permission";

pub fn check(host: &Host, seen: &Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    for module in &seen.modules {
        let forbidden = nodes(host, module).into_iter().find(|(_, node)| {
            let opened = (host.may_open)(node);
            opened.is_err_and(|why| why.kind() == std::io::ErrorKind::PermissionDenied)
        });
        let Some((path, node)) = forbidden else { continue };
        let rights = Rights::of(&node, &host.path("/etc"));
        let group = rights.as_ref().and_then(Rights::joinable);
        let mut text = format!("no permission to open {} of {}", path.display(), name(module));
        if let Some(rights) = &rights {
            text += &format!(": it is {rights}");
        }
        if let Some(group) = group {
            text += &format!(", and you are not in the group `{group}`");
        }
        let remedy = match group {
            Some(group) if super::rules::installed(host).is_some() => {
                format!("`sudo usermod -aG {group} $USER`, then log in again")
            }
            _ => "`sudo qpyflash udev --install`, then replug the module".into(),
        };
        findings.push(Finding::obstacle(CHECK, Kind::LinkDenied, text, remedy));
    }
    let ports = seen.modules.iter().any(|module| !module.ports.is_empty());
    if findings.is_empty() && ports {
        findings.push(Finding::ok(CHECK, "every port may be opened"));
    }
    findings
}

/// What commands may open: the ports, and the device itself where raw USB takes the place of one that is missing. Each
/// is given as a person knows it, and where it is.
fn nodes(host: &Host, module: &Attached) -> Vec<(PathBuf, PathBuf)> {
    let ports = module.ports.iter();
    let device = raw_usb(module).then(|| host.usb_node(module)).flatten();
    ports
        .map(|port| (port.path.clone(), host.node(port)))
        .chain(device)
        .collect()
}
