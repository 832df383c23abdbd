//! Does another program hold a port? Source: specs/usb-and-hosts.md §3.2.

use std::path::PathBuf;

use super::{Finding, Host, Seen};
use crate::error::Kind;
use crate::link::{holders, release};

const CHECK: &str = "busy";

pub fn check(host: &Host, seen: &Seen) -> Vec<Finding> {
    let ports: Vec<PathBuf> = seen
        .modules
        .iter()
        .flat_map(|module| module.ports.iter().map(|port| port.path.clone()))
        .collect();
    let held = holders(&host.path("/proc"), &ports);
    let busy = ports.iter().zip(held).filter_map(|(port, holder)| {
        let holder = holder?;
        Some(Finding::obstacle(
            CHECK,
            Kind::LinkBusy,
            format!("{} is in use by {holder}", port.display()),
            release(Some(&holder)),
        ))
    });
    let mut findings: Vec<Finding> = busy.collect();
    if findings.is_empty() && !ports.is_empty() && host.path("/proc/self").exists() {
        findings.push(Finding::ok(
            CHECK,
            "no program that can be looked into holds a port",
        ));
    }
    findings
}
