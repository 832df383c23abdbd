//! Whether the module at a slot's place is a new one. Nothing tells two modules apart before they are asked, so time
//! decides: what comes after the place was empty for long enough is another module.

use std::time::{Duration, Instant};

use crate::link::Settings;
use crate::module::{Attached, Mode, Settling, TopologyPath};

/// How long a module that stays in download mode must be seen in it without a break before it counts as plugged in.
/// A boot ROM shows itself at every start, also where the firmware runs afterwards and can say which module this is:
/// 0.4 to 0.6 s, and with a supply on VBUS 1 s. Source: specs/asr-aboot.md §1.3 [1], specs/usb-and-hosts.md §2.1 [1].
/// The rest is margin for a hub that is busy. A module whose ports no driver makes is given as much time.
const STAYS_FOR: Duration = Duration::from_secs(5);

/// A module that has come and gone so often crashes, or sits loose.
const TOO_OFTEN: u32 = 3;

/// What a look at the place has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The module that was there last has not been away for long enough.
    Last,
    /// Nothing, or what has just come.
    Nobody,
    /// Nothing that would stay, again and again; said once.
    Restless,
    /// Another module, ready to be talked to.
    Next,
}

/// Looks at one slot's place, from one module to the next.
#[derive(Debug)]
pub(super) struct Presence {
    path: TopologyPath,
    /// Places of other slots: what is there is never here.
    others: Vec<TopologyPath>,
    /// What has the same chain of ports on another bus and was there at the same time: something else.
    bystanders: Vec<TopologyPath>,
    empty_for: Duration,
    stays_for: Duration,
    settings: Settings,
    /// A module has been here, and since when it is away.
    last: Option<Option<Instant>>,
    coming: Option<Coming>,
    came: u32,
}

#[derive(Debug)]
struct Coming {
    usb_id: String,
    since: Instant,
    settling: Settling,
}

impl Presence {
    /// Nobody has been at `path` yet: what is there at the first look is new.
    pub fn new(
        path: TopologyPath,
        others: Vec<TopologyPath>,
        empty_for: Duration,
        settings: &Settings,
    ) -> Self {
        let scale = settings.timeout_scale;
        Presence {
            path,
            others,
            bystanders: Vec::new(),
            empty_for: empty_for.mul_f64(scale.max(1.0)),
            stays_for: STAYS_FOR.mul_f64(scale),
            settings: settings.clone(),
            last: None,
            coming: None,
            came: 0,
        }
    }

    /// The module that is there is taken on: it is the last one from here on.
    pub fn take(&mut self) {
        (self.last, self.coming, self.came) = (Some(None), None, 0);
    }

    /// What a look at the bus says.
    pub fn look(&mut self, modules: &[Attached], now: Instant) -> Seen {
        let here = modules.iter().find(|module| module.topology == self.path);
        if here.is_some() {
            self.bystanders = self.namesakes(modules).cloned().collect();
        }
        if let Some(away) = &mut self.last {
            let away = *away.get_or_insert(now);
            if here.is_some() || self.is_elsewhere(modules) {
                self.last = Some(None);
                return Seen::Last;
            }
            if now.duration_since(away) < self.empty_for {
                return Seen::Last;
            }
            self.last = None;
        }
        self.await_next(here, now)
    }

    /// Modules with the chain of ports of this place, under another bus number.
    fn namesakes<'m>(&self, modules: &'m [Attached]) -> impl Iterator<Item = &'m TopologyPath> {
        let paths = modules.iter().map(|module| &module.topology);
        paths
            .filter(|path| path.same_socket(&self.path) && **path != self.path && !self.others.contains(path))
    }

    /// Some hubs show a module under another bus number once its speed changes.
    fn is_elsewhere(&self, modules: &[Attached]) -> bool {
        self.namesakes(modules)
            .any(|path| !self.bystanders.contains(path))
    }

    fn await_next(&mut self, here: Option<&Attached>, now: Instant) -> Seen {
        let Some(module) = here else {
            self.coming = None;
            return Seen::Nobody;
        };
        if self
            .coming
            .as_ref()
            .is_none_or(|coming| coming.usb_id != module.usb_id)
        {
            self.came += 1;
            self.coming = Some(Coming {
                usb_id: module.usb_id.clone(),
                since: now,
                settling: Settling::new(&self.settings),
            });
        }
        let Some(coming) = &mut self.coming else {
            return Seen::Nobody;
        };
        let has_settled = coming.settling.settled(Some(module.clone()), now).is_some();
        let has_stayed = now.duration_since(coming.since) >= self.stays_for;
        if has_stayed || (has_settled && module.mode == Mode::Run) {
            self.came = 0;
            return Seen::Next;
        }
        if self.came > TOO_OFTEN {
            self.came = 0;
            return Seen::Restless;
        }
        Seen::Nobody
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::{Speed, UsbEntry, UsbInterface};

    const RUN: (u16, u16) = (0x2c7c, 0x6001);
    const ROM: (u16, u16) = (0x2ecc, 0x3004);

    fn module(path: &str, (vid, pid): (u16, u16), port: bool) -> Attached {
        let number = if (vid, pid) == RUN { 3 } else { 0 };
        let interface = UsbInterface {
            number,
            driver: None,
            port: port.then(|| "/dev/ttyUSB1".into()),
        };
        Attached::from_usb(UsbEntry {
            vid,
            pid,
            topology: path.parse().unwrap(),
            has_strings: true,
            speed: Some(Speed::High),
            interfaces: vec![interface],
        })
        .unwrap()
    }

    /// A place at `1-4.2`, beside a slot at `2-4.3`; times are in seconds.
    struct Place(Presence, Instant);

    impl Place {
        fn new() -> Self {
            let path = |text: &str| text.parse().unwrap();
            let empty_for = Duration::from_secs(15);
            let presence = Presence::new(
                path("1-4.2"),
                vec![path("2-4.3")],
                empty_for,
                &Settings::default(),
            );
            Place(presence, Instant::now())
        }

        fn look(&mut self, at: f64, modules: &[Attached]) -> Seen {
            self.0.look(modules, self.1 + Duration::from_secs_f64(at))
        }
    }

    #[test]
    fn a_module_that_stays_or_restarts_is_the_last_one_and_what_comes_after_an_empty_place_is_not() {
        let mut place = Place::new();
        let here = [module("1-4.2", RUN, true)];
        assert_eq!(place.look(0.0, &here), Seen::Next);
        place.0.take();
        for (at, modules) in [
            (1.0, &here[..]),
            (2.0, &[]),
            (16.0, &[]),
            (16.5, &here),
            (17.0, &[]),
            (18.0, &[module("1-4.2", ROM, true)]),
            (19.0, &[]),
            (33.9, &[]),
        ] {
            assert_eq!(place.look(at, modules), Seen::Last, "{at}");
        }
        assert_eq!(place.look(34.0, &[]), Seen::Nobody);
        assert_eq!(place.look(34.1, &here), Seen::Next);
    }

    #[test]
    fn one_that_comes_back_under_another_bus_number_has_not_been_away_and_a_bystander_is_another() {
        let mut place = Place::new();
        let bystander = module("3-4.2", RUN, true);
        assert_eq!(
            place.look(0.0, &[module("1-4.2", RUN, true), bystander.clone()]),
            Seen::Next
        );
        place.0.take();
        assert_eq!(place.look(1.0, std::slice::from_ref(&bystander)), Seen::Last);
        let moved = [module("2-4.2", ROM, true), bystander.clone()];
        assert_eq!(place.look(15.0, &moved), Seen::Last);
        assert_eq!(place.look(17.0, std::slice::from_ref(&bystander)), Seen::Last);
        assert_eq!(place.look(32.0, &[bystander]), Seen::Nobody);
    }

    #[test]
    fn a_boot_rom_that_passes_by_is_not_taken_and_one_that_stays_is() {
        let mut place = Place::new();
        let rom = [module("1-4.2", ROM, true)];
        assert_eq!(place.look(0.0, &rom), Seen::Nobody);
        assert_eq!(place.look(1.0, &rom), Seen::Nobody);
        assert_eq!(place.look(1.5, &[]), Seen::Nobody);
        assert_eq!(place.look(3.0, &rom), Seen::Nobody);
        assert_eq!(place.look(7.9, &rom), Seen::Nobody);
        assert_eq!(place.look(8.0, &rom), Seen::Next);
    }

    #[test]
    fn a_module_waits_for_its_ports_but_not_for_ever() {
        let mut place = Place::new();
        assert_eq!(place.look(0.0, &[module("1-4.2", RUN, false)]), Seen::Nobody);
        assert_eq!(place.look(0.3, &[module("1-4.2", RUN, true)]), Seen::Next);
        let mut place = Place::new();
        assert_eq!(place.look(0.0, &[module("1-4.2", RUN, false)]), Seen::Nobody);
        assert_eq!(place.look(5.0, &[module("1-4.2", RUN, false)]), Seen::Next);
    }

    #[test]
    fn one_that_crashes_again_and_again_is_told_of_once() {
        let mut place = Place::new();
        let mut seen = Vec::new();
        for round in 0..5 {
            let at = f64::from(round) * 2.0;
            seen.push(place.look(at, &[module("1-4.2", ROM, true)]));
            place.look(at + 0.5, &[]);
        }
        let restless = seen.iter().filter(|seen| **seen == Seen::Restless).count();
        assert_eq!(restless, 1, "{seen:?}");
        assert!(!seen.contains(&Seen::Next));
    }
}
