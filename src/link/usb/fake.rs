//! A device for tests: it says what it is told to, keeps what it hears, and has drivers as Linux has them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::device::{Carried, Device, Fault};
use super::greeting::ClassRequest;

#[derive(Default)]
pub(super) struct Fake {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    /// Transfers to the host, and what goes wrong instead of one.
    pub says: VecDeque<Result<Vec<u8>, Fault>>,
    /// What becomes of transfers from the host: the bytes that are taken of one, and how it ends.
    pub takes: VecDeque<(usize, Result<(), Fault>)>,
    /// Takes nothing while it is set.
    pub is_deaf: bool,
    /// The transfers from the host.
    pub heard: Vec<Vec<u8>>,
    pub requests: Vec<ClassRequest>,
    /// Refuses class requests.
    pub refuses: Option<Fault>,
    pub halts_cleared: Vec<u8>,
    pub has_left: bool,
    /// Interfaces that a driver has.
    pub driven: BTreeSet<u8>,
    /// Interfaces that one driver takes and lets go together.
    pub paired: Vec<u8>,
    /// Interfaces whose driver does not let go, or does not come back, and why.
    pub stubborn: Vec<(u8, Fault)>,
    /// Interfaces of another program.
    pub foreign: BTreeSet<u8>,
    pub claimed: BTreeSet<u8>,
    pub settings: Vec<(u8, u8)>,
}

impl Fake {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes it, and wakes who waits for it.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Waits until it has heard that many bytes.
    pub fn heard(&self, count: usize) -> Vec<Vec<u8>> {
        let enough = |state: &mut State| state.heard.iter().map(Vec::len).sum::<usize>() < count;
        let state = self.changed.wait_while(self.state(), enough).unwrap();
        state.heard.clone()
    }

    /// Waits until the device is ready, or until nobody wants to know.
    fn while_wanted(
        &self,
        is_wanted: &dyn Fn() -> bool,
        is_unready: impl Fn(&mut State) -> bool,
    ) -> MutexGuard<'_, State> {
        loop {
            let (mut state, _) = self
                .changed
                .wait_timeout_while(self.state(), Duration::from_millis(1), &is_unready)
                .unwrap();
            if !is_unready(&mut state) || !is_wanted() {
                return state;
            }
        }
    }

    fn both(state: &State, interface: u8) -> Vec<u8> {
        match state.paired.contains(&interface) {
            true => state.paired.clone(),
            false => vec![interface],
        }
    }

    fn stubborn(state: &State, interface: u8) -> Result<(), Fault> {
        let found = state.stubborn.iter().find(|(number, _)| *number == interface);
        found.map_or(Ok(()), |(_, why)| Err(why.clone()))
    }
}

impl Device for Fake {
    fn receive(&self, _: u8, into: &mut [u8], is_wanted: &dyn Fn() -> bool) -> Carried {
        let silent = |state: &mut State| state.says.is_empty() && !state.has_left;
        let mut state = self.while_wanted(is_wanted, silent);
        let said = state.says.pop_front();
        let mut bytes = match said {
            _ if state.has_left => return Carried::failed(Fault::Gone),
            Some(Err(fault)) => return Carried::failed(fault),
            Some(Ok(bytes)) => bytes,
            None => Vec::new(),
        };
        if bytes.len() > into.len() {
            let rest = bytes.split_off(into.len());
            state.says.push_front(Ok(rest));
        }
        into[..bytes.len()].copy_from_slice(&bytes);
        Carried {
            bytes: bytes.len(),
            end: Ok(()),
        }
    }

    fn send(&self, _: u8, bytes: &[u8], is_wanted: &dyn Fn() -> bool) -> Carried {
        let deaf = |state: &mut State| state.is_deaf && !state.has_left;
        let mut state = self.while_wanted(is_wanted, deaf);
        if state.has_left {
            return Carried::failed(Fault::Gone);
        }
        if state.is_deaf {
            return Carried {
                bytes: 0,
                end: Ok(()),
            };
        }
        let (most, end) = state.takes.pop_front().unwrap_or((bytes.len(), Ok(())));
        let count = most.min(bytes.len());
        if count > 0 {
            state.heard.push(bytes[..count].to_vec());
        }
        self.changed.notify_all();
        Carried { bytes: count, end }
    }

    fn request(&self, request: &ClassRequest) -> Result<(), Fault> {
        let mut state = self.state();
        state.requests.push(request.clone());
        state.refuses.clone().map_or(Ok(()), Err)
    }

    fn clear_halt(&self, endpoint: u8) -> Result<(), Fault> {
        self.state().halts_cleared.push(endpoint);
        Ok(())
    }

    fn is_there(&self) -> bool {
        !self.state().has_left
    }

    fn has_driver(&self, interface: u8) -> bool {
        let state = self.state();
        state.driven.contains(&interface) || state.foreign.contains(&interface)
    }

    fn detach_driver(&self, interface: u8) -> Result<(), Fault> {
        let mut state = self.state();
        Self::stubborn(&state, interface)?;
        for number in Self::both(&state, interface) {
            state.driven.remove(&number);
        }
        Ok(())
    }

    fn attach_driver(&self, interface: u8) -> Result<(), Fault> {
        let mut state = self.state();
        Self::stubborn(&state, interface)?;
        let both = Self::both(&state, interface);
        state.driven.extend(both);
        Ok(())
    }

    fn claim(&self, interface: u8, setting: u8) -> Result<(), Fault> {
        let mut state = self.state();
        if state.driven.contains(&interface) || state.foreign.contains(&interface) {
            return Err(Fault::Busy);
        }
        state.claimed.insert(interface);
        state.settings.push((interface, setting));
        Ok(())
    }

    fn release(&self, interface: u8) -> Result<(), Fault> {
        let mut state = self.state();
        if state.has_left {
            return Err(Fault::Gone);
        }
        state.claimed.remove(&interface);
        Ok(())
    }
}
