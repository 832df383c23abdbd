//! Taking the interfaces of a function, and giving them back to the drivers they were taken from.

use std::sync::Arc;

use super::device::{Device, Fault};
use super::function::Function;

/// The interfaces of a function, held for this program.
pub(super) struct Claimed<D: Device> {
    device: Arc<D>,
    /// Taken for this program, in that order.
    claimed: Vec<u8>,
    /// Those that had a driver.
    driven: Vec<u8>,
}

impl<D: Device> Claimed<D> {
    /// Takes them all, or none.
    ///
    /// # Errors
    /// [`Fault::Busy`] when another program has one, or a driver that cannot be made to let go.
    pub fn take(device: Arc<D>, function: &Function) -> Result<Self, Fault> {
        // Drivers of two interfaces let go of both at once, so who had one is asked before any is detached.
        let driven: Vec<u8> = function
            .interfaces()
            .filter(|number| device.has_driver(*number))
            .collect();
        let mut claimed = Claimed {
            device,
            claimed: Vec::new(),
            driven,
        };
        for number in function.interfaces() {
            let setting = if number == function.data {
                function.setting
            } else {
                0
            };
            if let Err(fault) = claimed.take_one(number, setting) {
                claimed.give_back();
                return Err(fault);
            }
        }
        Ok(claimed)
    }

    fn take_one(&mut self, number: u8, setting: u8) -> Result<(), Fault> {
        let detached = match self.device.has_driver(number) {
            true => self.device.detach_driver(number),
            false => Ok(()),
        };
        match self.device.claim(number, setting) {
            Ok(()) => {
                self.claimed.push(number);
                Ok(())
            }
            // What kept the driver says more than that it is still there.
            Err(Fault::Busy) => Err(detached
                .err()
                .filter(|why| *why == Fault::Denied)
                .unwrap_or(Fault::Busy)),
            Err(fault) => Err(fault),
        }
    }

    /// Lets go, and makes the drivers come back; says which interface stays without. A device that has left needs
    /// nothing. The driver of a CDC pair takes both interfaces when it is given the first.
    pub fn give_back(&mut self) -> Vec<String> {
        let mut gone = false;
        for number in self.claimed.drain(..).rev() {
            gone |= self.device.release(number) == Err(Fault::Gone);
        }
        let mut notes = Vec::new();
        for number in self.driven.drain(..) {
            if gone || self.device.has_driver(number) {
                continue;
            }
            match self.device.attach_driver(number) {
                Ok(()) => {}
                Err(Fault::Gone) => gone = true,
                Err(_) if self.device.has_driver(number) => {}
                Err(why) => notes.push(format!(
                    "interface {number} has no driver any more, and its port is gone until the module is replugged \
                     ({why})"
                )),
            }
        }
        if gone { Vec::new() } else { notes }
    }
}

impl<D: Device> Drop for Claimed<D> {
    fn drop(&mut self) {
        for note in self.give_back() {
            log::warn!("{note}");
        }
    }
}
