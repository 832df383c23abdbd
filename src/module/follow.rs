//! What comes to the bus and leaves it, as it happens.
//!
//! Where libusb can say that something has changed, the bus is looked at then; a virtual bus, and a host where it
//! cannot, is looked at again and again. Either way only a look at the bus says what has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusb::UsbContext;
use serde::Serialize;

use super::usb_list::Bus;
use super::{Attached, survey};
use crate::error::Error;
use crate::link::Cancel;

/// Time between two looks where nobody says that something has changed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Longest time without a look although nothing was said to have changed: a word may be lost.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(2);
/// How long a module that has just come is given to show its ports, which drivers make one by one.
pub(super) const SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// One change of the bus.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", content = "module", rename_all = "snake_case")]
pub enum Change {
    /// A module is there.
    Attached(Attached),
    /// A module that was there has other ports now.
    Changed(Attached),
    /// A module has left.
    Detached(Attached),
}

/// Knows what was on the bus, and tells what is different.
#[derive(Debug, Default)]
pub struct Follower {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    module: Attached,
    since: Instant,
    told: bool,
}

impl Follower {
    /// Compares the bus with what it was; at first everything is new. A module that changes its mode leaves as one
    /// device and comes as another. A new one is told of when its ports are there and have been for one look, or
    /// when it has had its time.
    pub fn look(&mut self, modules: Vec<Attached>, now: Instant) -> Vec<Change> {
        let same = |a: &Attached, b: &Attached| a.topology == b.topology && a.usb_id == b.usb_id;
        let mut changes = Vec::new();
        self.known.retain(|known| {
            let stays = modules.iter().any(|module| same(module, &known.module));
            if !stays && known.told {
                changes.push(Change::Detached(known.module.clone()));
            }
            stays
        });
        for module in modules {
            let Some(known) = self.known.iter_mut().find(|known| same(&known.module, &module)) else {
                self.known.push(Known {
                    module,
                    since: now,
                    told: false,
                });
                continue;
            };
            let steady = known.module.ports == module.ports;
            let settled = steady && module.unbound.is_empty() && !module.ports.is_empty();
            known.module = module.clone();
            if known.told && !steady {
                changes.push(Change::Changed(module));
            } else if !known.told && (settled || now.duration_since(known.since) >= SETTLES_WITHIN) {
                known.told = true;
                changes.push(Change::Attached(module));
            }
        }
        changes
    }

    fn is_settling(&self) -> bool {
        self.known.iter().any(|known| !known.told)
    }
}

/// Tells `tell` of every change, until `cancel` is set or `tell` wants no more.
///
/// # Errors
/// [`LinkFailed`](crate::Kind::LinkFailed) when the bus cannot be read.
pub fn follow(bus: &Bus, cancel: &Cancel, mut tell: impl FnMut(Change) -> bool) -> Result<(), Error> {
    let bell = Bell::of(bus);
    let mut follower = Follower::default();
    let mut rung = Instant::now();
    while !cancel.is_set() {
        for change in follower.look(survey(bus)?.0, Instant::now()) {
            if !tell(change) {
                return Ok(());
            }
        }
        let looked = Instant::now();
        // Ports of a device that has just come are made one by one, and nobody says when.
        let busy = follower.is_settling() || rung.elapsed() < SETTLES_WITHIN;
        while !cancel.is_set() {
            sleep(LOOK_EVERY);
            let Some(bell) = &bell else { break };
            if bell.has_rung() {
                rung = Instant::now();
                break;
            }
            if busy || looked.elapsed() >= LOOK_AT_LEAST_EVERY {
                break;
            }
        }
    }
    Ok(())
}

/// libusb's word that something has come or gone.
struct Bell {
    context: rusb::Context,
    rung: Arc<AtomicBool>,
    _registration: rusb::Registration<rusb::Context>,
}

struct Ringer(Arc<AtomicBool>);

impl rusb::Hotplug<rusb::Context> for Ringer {
    fn device_arrived(&mut self, _: rusb::Device<rusb::Context>) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn device_left(&mut self, _: rusb::Device<rusb::Context>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Bell {
    /// None on a virtual or recorded bus, and where libusb has no hot-plug (Windows, some containers).
    fn of(bus: &Bus) -> Option<Self> {
        if *bus != Bus::Host("/".into()) || !rusb::has_hotplug() {
            return None;
        }
        let context = rusb::Context::new().ok()?;
        let rung = Arc::new(AtomicBool::new(false));
        let registration = rusb::HotplugBuilder::new()
            .register(&context, Box::new(Ringer(Arc::clone(&rung))))
            .ok()?;
        Some(Bell {
            context,
            rung,
            _registration: registration,
        })
    }

    fn has_rung(&self) -> bool {
        let failed = self.context.handle_events(Some(Duration::ZERO)).is_err();
        self.rung.swap(false, Ordering::SeqCst) || failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::usb_list::{Speed, UsbEntry, UsbInterface};

    /// A module in run mode whose interfaces 2 to 4 exist; `ports` says which have a port.
    fn module(topology: &str, ports: &[u8]) -> Attached {
        let interface = |number| UsbInterface {
            number,
            driver: None,
            port: ports
                .contains(&number)
                .then(|| format!("/dev/ttyUSB{number}").into()),
        };
        Attached::from_usb(UsbEntry {
            vid: 0x2c7c,
            pid: 0x6001,
            topology: topology.parse().unwrap(),
            has_strings: true,
            speed: Some(Speed::High),
            interfaces: (2..5).map(interface).collect(),
        })
        .unwrap()
    }

    fn words(changes: &[Change]) -> Vec<String> {
        let word = |change: &Change| match change {
            Change::Attached(module) => format!("+{}", module.topology),
            Change::Changed(module) => format!("~{}", module.topology),
            Change::Detached(module) => format!("-{}", module.topology),
        };
        changes.iter().map(word).collect()
    }

    #[test]
    fn tells_of_a_module_once_its_ports_are_there_and_when_it_leaves() {
        let mut follower = Follower::default();
        let start = Instant::now();
        let mut look = |ports: &[&[u8]], ms| {
            let modules = ports.iter().map(|ports| module("1-4.2", ports)).collect();
            words(&follower.look(modules, start + Duration::from_millis(ms)))
        };
        let nothing: [&str; 0] = [];
        assert_eq!(look(&[&[2]], 0), nothing);
        assert_eq!(look(&[&[2, 3]], 50), nothing);
        assert_eq!(look(&[&[2, 3, 4]], 100), nothing);
        assert_eq!(look(&[&[2, 3, 4]], 150), ["+1-4.2"]);
        assert_eq!(look(&[&[2, 3, 4]], 200), nothing);
        assert_eq!(look(&[&[2, 3]], 250), ["~1-4.2"]);
        assert_eq!(look(&[], 300), ["-1-4.2"]);
        assert_eq!(look(&[], 350), nothing);
    }

    #[test]
    fn a_module_that_no_driver_takes_is_told_of_all_the_same() {
        let mut follower = Follower::default();
        let start = Instant::now();
        assert!(follower.look(vec![module("1-1", &[])], start).is_empty());
        let later = start + SETTLES_WITHIN;
        assert_eq!(words(&follower.look(vec![module("1-1", &[])], later)), ["+1-1"]);
    }

    #[test]
    fn one_that_is_gone_before_it_was_told_of_was_never_there() {
        let mut follower = Follower::default();
        let now = Instant::now();
        assert!(follower.look(vec![module("1-1", &[2, 3, 4])], now).is_empty());
        assert!(follower.look(Vec::new(), now).is_empty());
    }
}
