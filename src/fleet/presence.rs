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
