//! Two byte streams over two bulk endpoints.
//!
//! Each direction has a thread that does one transfer after the other, so that a read is always pending, nothing that
//! arrives is lost however little is asked for, and no transfer has to be taken back because a caller waits no longer:
//! virtual machines lose what crosses with that.
//!
//! A write becomes a transfer of its own, or several that end on packet boundaries, which is the same on the wire. No
//! zero-length packet is added: no platform's host sends any (specs/asr-aboot.md §1.1, specs/unisoc-pac-bsl.md §2.3,
//! specs/eigencomm-agentboot.md §1.1), and where a frame must end in a short packet the session cuts it.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use qpyflash_protocols::WireError;

use super::device::{Carried, Device, Fault};
use super::function::{Endpoint, Function};

/// Most bytes of one transfer, either way, and a multiple of every packet size.
/// Source: specs/usb-and-hosts.md §1.3 [V]: the vendor's host goes so far.
const TRANSFER_BYTES: usize = 16 * 1024;
/// How long the module may take for the last transfer from the host. Source: specs/usb-and-hosts.md §1.3 [V]: the time
/// of one transfer of the vendor's host.
const LAST_SEND_WITHIN: Duration = Duration::from_secs(3);
/// A transfer to the host that has no end is taken back after this time, for the bytes of a sender who forgets the packet
/// that ends them [?]. Every platform's answer is faster than this, or there is none.
const RECEIVE_WITHIN: Duration = Duration::from_secs(1);
/// Bytes that are kept for a caller who does not read; the module is held up then, as by any full port.
const MOST_RECEIVED: usize = 1 << 20;

/// The streams of an open function.
pub(super) struct Streams {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    largest_write: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    received: VecDeque<u8>,
    /// The next transfer from the host, until its thread takes it.
    outgoing: Option<Vec<u8>>,
    failed: Option<WireError>,
    /// Since when the streams are to end.
    closing: Option<Instant>,
}

impl Streams {
    /// Begins to listen.
    pub fn start(device: &Arc<impl Device + 'static>, function: &Function) -> Self {
        let shared = Arc::new(Shared::default());
        let (bulk_in, bulk_out) = (function.bulk_in, function.bulk_out);
        let listener = {
            let (device, shared) = (device.clone(), shared.clone());
            std::thread::spawn(move || shared.report(listen(&*device, bulk_in, &shared)))
        };
        let speaker = {
            let (device, shared) = (device.clone(), shared.clone());
            std::thread::spawn(move || shared.report(speak(&*device, bulk_out, &shared)))
        };
        Streams {
            shared,
            threads: vec![listener, speaker],
            largest_write: whole_packets(bulk_out),
        }
    }

    /// Takes some of `bytes` as soon as the transfer before has begun; 0 when it has not within that time.
    pub fn write(&self, bytes: &[u8], within: Duration) -> Result<usize, WireError> {
        let count = bytes.len().min(self.largest_write);
        let mut state = self.shared.wait(within, |state| state.outgoing.is_none());
        match &state.failed {
            Some(error) => Err(error.clone()),
            None if state.outgoing.is_some() || count == 0 => Ok(0),
            None => {
                state.outgoing = Some(bytes[..count].to_vec());
                self.shared.changed.notify_all();
                Ok(count)
            }
        }
    }

    /// Gives some of what has arrived; 0 when nothing has within that time. What arrived before an error comes first.
    pub fn read(&self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        let mut state = self.shared.wait(within, |state| !state.received.is_empty());
        if let (Some(error), true) = (&state.failed, state.received.is_empty()) {
            return Err(error.clone());
        }
        let count = state.received.read(into).unwrap_or(0);
        self.shared.changed.notify_all();
        Ok(count)
    }

    /// Sends what has been taken, and ends.
    pub fn stop(&mut self) {
        self.shared.lock().closing.get_or_insert_with(Instant::now);
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The largest transfer over an endpoint.
fn whole_packets(endpoint: Endpoint) -> usize {
    (TRANSFER_BYTES / endpoint.packet).max(1) * endpoint.packet
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done`, until a stream has failed, or until the time is up.
    fn wait(&self, within: Duration, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waits = |state: &mut State| !done(state) && state.failed.is_none();
        let waited = self.changed.wait_timeout_while(self.lock(), within, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// A stream has ended. Its first error is everybody's.
    fn report(&self, ended: Result<(), WireError>) {
        if let Err(error) = ended {
            self.lock().failed.get_or_insert(error);
        }
        self.changed.notify_all();
    }

    /// Waits until there is room for what may arrive; false when the streams are to end.
    fn wants_more(&self) -> bool {
        let mut state = self.lock();
        while state.received.len() >= MOST_RECEIVED && state.closing.is_none() && state.failed.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.closing.is_none() && state.failed.is_none()
    }

    fn arrived(&self, bytes: &[u8]) {
        self.lock().received.extend(bytes);
        self.changed.notify_all();
    }

    /// Waits for the next transfer; none when the streams are to end.
    fn next_outgoing(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        loop {
            if state.failed.is_some() {
                return None;
            }
            if let Some(bytes) = state.outgoing.take() {
                self.changed.notify_all();
                return Some(bytes);
            }
            if state.closing.is_some() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether listening goes on.
    fn is_open(&self) -> bool {
        let state = self.lock();
        state.closing.is_none() && state.failed.is_none()
    }

    /// Whether there is time left to send.
    fn may_send(&self) -> bool {
        let state = self.lock();
        let has_time = |since: Instant| since.elapsed() < LAST_SEND_WITHIN;
        state.closing.is_none_or(has_time) && state.failed.is_none()
    }
}

/// Takes what arrives. A packet without bytes only ends a transfer. A stall is forgiven once, until bytes come again.
fn listen(device: &impl Device, endpoint: Endpoint, shared: &Shared) -> Result<(), WireError> {
    let mut buffer = vec![0; whole_packets(endpoint)];
    let mut has_stalled = false;
    while shared.wants_more() {
        let began = Instant::now();
        let is_wanted = || shared.is_open() && began.elapsed() < RECEIVE_WITHIN;
        let Carried { bytes, end } = device.receive(endpoint.address, &mut buffer, &is_wanted);
        if bytes > 0 {
            has_stalled = false;
            shared.arrived(buffer.get(..bytes).unwrap_or(&buffer));
        }
        go_on(device, endpoint, end, &mut has_stalled)?;
    }
    Ok(())
}

/// Sends what it is given. A stall is forgiven once, and what the module has not taken before it is sent again.
fn speak(device: &impl Device, endpoint: Endpoint, shared: &Shared) -> Result<(), WireError> {
    while let Some(transfer) = shared.next_outgoing() {
        let mut rest = &transfer[..];
        let mut has_stalled = false;
        while !rest.is_empty() && shared.may_send() {
            let Carried { bytes, end } = device.send(endpoint.address, rest, &|| shared.may_send());
            rest = rest.get(bytes..).unwrap_or_default();
            go_on(device, endpoint, end, &mut has_stalled)?;
        }
    }
    Ok(())
}

/// Whether more transfers can follow one that ended so.
fn go_on(
    device: &impl Device,
    endpoint: Endpoint,
    end: Result<(), Fault>,
    has_stalled: &mut bool,
) -> Result<(), WireError> {
    match end {
        Ok(()) => Ok(()),
        Err(Fault::Stalled) => {
            device
                .clear_halt(endpoint.address)
                .map_err(|fault| fault.into_wire(device, endpoint.address))?;
            match std::mem::replace(has_stalled, true) {
                false => Ok(()),
                true => Err(Fault::Stalled.into_wire(device, endpoint.address)),
            }
        }
        Err(fault) => Err(fault.into_wire(device, endpoint.address)),
    }
}
