//! When a module that has just come shows all that it will show: drivers make its ports one by one, and raw USB must
//! not be faster than a driver that is on its way.

use std::time::{Duration, Instant};

use super::follow::SETTLES_WITHIN;
use super::usb_ids::Role;
use super::{Attached, Mode};
use crate::link::{Settings, Transport};

/// Looks at one socket again and again.
#[derive(Debug)]
pub(crate) struct Settling {
    transport: Transport,
    patience: Duration,
    /// What was seen last, and since when without a break.
    since: Option<(String, Instant)>,
}

impl Settling {
    /// Nothing has been seen yet.
    pub fn new(settings: &Settings) -> Self {
        Settling {
            transport: settings.transport,
            patience: SETTLES_WITHIN.mul_f64(settings.timeout_scale),
            since: None,
        }
    }

    /// The module, once it shows the port it is worked with by, or has had its time and shows another way.
    pub fn settled(&mut self, module: Option<Attached>, now: Instant) -> Option<Attached> {
        let Some(module) = module else {
            self.since = None;
            return None;
        };
        let role = match module.mode {
            Mode::Run => Role::At,
            Mode::Download => Role::Download,
        };
        let shows_it = match self.transport {
            Transport::Usb => module.has_best_interface(),
            Transport::Auto | Transport::Tty => module.port(role).is_some(),
        };
        if shows_it {
            return Some(module);
        }
        let name = format!("{} {}", module.topology, module.usb_id);
        let since = match self.since.take() {
            Some((seen, since)) if seen == name => since,
            _ => now,
        };
        self.since = Some((name, since));
        let has_had_its_time = now.duration_since(since) >= self.patience;
        (has_had_its_time && module.best_address(self.transport).is_some()).then_some(module)
    }
}

#[cfg(test)]
mod tests {
    use super::super::usb_list::{Speed, UsbEntry, UsbInterface};
    use super::*;

    /// A module with these interfaces, some of them with a port.
    fn module(id: (u16, u16), interfaces: &[(u8, Option<&str>)]) -> Option<Attached> {
        let interface = |(number, port): &(u8, Option<&str>)| UsbInterface {
            number: *number,
            driver: None,
            port: port.map(Into::into),
        };
        Attached::from_usb(UsbEntry {
            vid: id.0,
            pid: id.1,
            topology: "1-4.2".parse().unwrap(),
            has_strings: false,
            speed: Some(Speed::Full),
            interfaces: interfaces.iter().map(interface).collect(),
        })
    }

    const ROM: (u16, u16) = (0x1782, 0x4d16);

    fn settling(transport: Transport) -> Settling {
        Settling::new(&Settings {
            transport,
            ..Settings::default()
        })
    }

    #[test]
    fn a_port_is_taken_at_once_and_raw_usb_when_no_driver_has_come() {
        let mut settling = settling(Transport::Auto);
        let began = Instant::now();
        let bare = || module(ROM, &[(1, None)]);
        assert!(settling.settled(bare(), began).is_none());
        assert!(
            settling
                .settled(module(ROM, &[(1, Some("/dev/ttyACM0"))]), began)
                .is_some()
        );
        assert!(settling.settled(bare(), began + SETTLES_WITHIN / 2).is_none());
        let settled = settling.settled(bare(), began + SETTLES_WITHIN).unwrap();
        let address = settled.best_address(Transport::Auto).unwrap();
        assert_eq!(address.to_string(), "usb:1-4.2#if1");
    }

    #[test]
    fn one_that_comes_and_goes_has_not_settled() {
        let mut settling = settling(Transport::Auto);
        let began = Instant::now();
        assert!(settling.settled(module(ROM, &[(1, None)]), began).is_none());
        assert!(settling.settled(None, began + SETTLES_WITHIN / 2).is_none());
        assert!(
            settling
                .settled(module(ROM, &[(1, None)]), began + SETTLES_WITHIN)
                .is_none()
        );
        let other = (0x17d1, 0x0001);
        let later = began + SETTLES_WITHIN * 2;
        assert!(
            settling
                .settled(module(other, &[(0, None), (1, None)]), later)
                .is_none()
        );
    }

    #[test]
    fn what_is_asked_for_is_not_waited_for_with_the_other() {
        let began = Instant::now();
        let later = began + SETTLES_WITHIN;
        let bare = || module(ROM, &[(1, None)]);
        assert!(settling(Transport::Usb).settled(bare(), began).is_some());
        let half = || module(ROM, &[(0, None)]);
        assert!(settling(Transport::Usb).settled(half(), began).is_none());
        let mut tty = settling(Transport::Tty);
        assert!(tty.settled(bare(), began).is_none());
        assert!(tty.settled(bare(), later).is_none());
    }

    #[test]
    fn a_module_without_an_at_port_is_reached_another_way_in_the_end() {
        let (began, run) = (Instant::now(), (0x2c7c, 0x6001));
        let repl = || module(run, &[(5, Some("/dev/ttyACM0")), (6, None)]);
        let mut settling = settling(Transport::Auto);
        assert!(settling.settled(repl(), began).is_none());
        assert!(settling.settled(repl(), began + SETTLES_WITHIN).is_some());
    }
}
