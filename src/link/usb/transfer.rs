//! One bulk transfer of libusb that ends when it is carried, or when nobody wants it any more. Its exact count is known
//! however it ends, which libusb's own blocking calls do not say of one that fails.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusb::constants::{
    LIBUSB_ERROR_NO_DEVICE, LIBUSB_TRANSFER_CANCELLED, LIBUSB_TRANSFER_COMPLETED, LIBUSB_TRANSFER_NO_DEVICE,
    LIBUSB_TRANSFER_OVERFLOW, LIBUSB_TRANSFER_STALL,
};
use rusb::ffi::{
    libusb_alloc_transfer, libusb_cancel_transfer, libusb_fill_bulk_transfer, libusb_free_transfer,
    libusb_submit_transfer, libusb_transfer,
};
use rusb::{Context, DeviceHandle, UsbContext};

use super::device::{Carried, Fault};

/// Time between two looks whether a transfer is still wanted; one that ends is noticed at once.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The thread in which libusb tells what has become of transfers.
pub(super) struct Events {
    context: Context,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Events {
    /// Begins.
    pub fn start(context: &Context) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (told, theirs) = (is_over.clone(), context.clone());
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::SeqCst) {
                // An interrupted wait is as good as any other end of it.
                let _ = theirs.handle_events(Some(LOOK_EVERY));
            }
        });
        Events {
            context: context.clone(),
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.context.interrupt_handle_events();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Set by libusb's thread when the transfer has ended.
#[derive(Default)]
struct Ended {
    is_so: Mutex<bool>,
    changed: Condvar,
}

/// Called by libusb once for each transfer that it has taken.
extern "system" fn ended(transfer: *mut libusb_transfer) {
    // SAFETY: `user_data` is a reference count that `carry` has given away for this one call.
    let ended = unsafe { Arc::from_raw((*transfer).user_data.cast::<Ended>().cast_const()) };
    *ended.is_so.lock().unwrap_or_else(PoisonError::into_inner) = true;
    ended.changed.notify_all();
}

/// To the host, into `buffer`.
pub(super) fn receive(
    handle: &DeviceHandle<Context>,
    endpoint: u8,
    buffer: &mut [u8],
    is_wanted: &dyn Fn() -> bool,
) -> Carried {
    // SAFETY: `buffer` is borrowed for the whole call, for writing.
    unsafe { carry(handle, endpoint, buffer.as_mut_ptr(), buffer.len(), is_wanted) }
}

/// From the host.
pub(super) fn send(
    handle: &DeviceHandle<Context>,
    endpoint: u8,
    bytes: &[u8],
    is_wanted: &dyn Fn() -> bool,
) -> Carried {
    // SAFETY: `bytes` is borrowed for the whole call, and libusb only reads what goes out.
    unsafe {
        carry(
            handle,
            endpoint,
            bytes.as_ptr().cast_mut(),
            bytes.len(),
            is_wanted,
        )
    }
}

/// Submits one transfer and waits for its end. An [`Events`] of the handle's context must be alive.
///
/// # Safety
/// `buffer` must be good for `length` bytes in the endpoint's direction until this returns.
unsafe fn carry(
    handle: &DeviceHandle<Context>,
    endpoint: u8,
    buffer: *mut u8,
    length: usize,
    is_wanted: &dyn Fn() -> bool,
) -> Carried {
    let Ok(length) = c_int::try_from(length) else {
        return Carried::failed(Fault::Failed("a transfer too long".into()));
    };
    let waiting = Arc::new(Ended::default());
    // SAFETY: libusb allocates, or says null.
    let transfer = unsafe { libusb_alloc_transfer(0) };
    if transfer.is_null() {
        return Carried::failed(Fault::Failed("there is no memory for a transfer".into()));
    }
    let told = Arc::into_raw(waiting.clone());
    // SAFETY: `transfer` is ours until libusb has taken it, the handle is open, and no time-out (0) is asked for.
    let submitted = unsafe {
        let told = told.cast_mut().cast();
        libusb_fill_bulk_transfer(
            transfer,
            handle.as_raw(),
            endpoint,
            buffer,
            length,
            ended,
            told,
            0,
        );
        libusb_submit_transfer(transfer)
    };
    let carried = if submitted == 0 {
        await_end(&waiting, transfer, is_wanted);
        // SAFETY: it has ended, so libusb writes to it no more.
        let (status, count) = unsafe { ((*transfer).status, (*transfer).actual_length) };
        Carried {
            bytes: usize::try_from(count).unwrap_or(0),
            end: meaning(status),
        }
    } else {
        // SAFETY: what libusb has not taken it calls nobody about.
        drop(unsafe { Arc::from_raw(told) });
        Carried::failed(match submitted {
            LIBUSB_ERROR_NO_DEVICE => Fault::Gone,
            code => Fault::Failed(format!("libusb does not take the transfer ({code})")),
        })
    };
    // SAFETY: libusb has not taken it, or has done with it.
    unsafe { libusb_free_transfer(transfer) };
    carried
}

/// Waits for the end, and takes the transfer back when it is not wanted any more; that has an end too.
fn await_end(waiting: &Ended, transfer: *mut libusb_transfer, is_wanted: &dyn Fn() -> bool) {
    let mut is_so = waiting.is_so.lock().unwrap_or_else(PoisonError::into_inner);
    while !*is_so {
        if !is_wanted() {
            // SAFETY: libusb has it until the callback, and says so if it has ended meanwhile.
            unsafe { libusb_cancel_transfer(transfer) };
        }
        let waited = waiting.changed.wait_timeout(is_so, LOOK_EVERY);
        is_so = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn meaning(status: c_int) -> Result<(), Fault> {
    match status {
        LIBUSB_TRANSFER_COMPLETED | LIBUSB_TRANSFER_CANCELLED => Ok(()),
        LIBUSB_TRANSFER_STALL => Err(Fault::Stalled),
        LIBUSB_TRANSFER_NO_DEVICE => Err(Fault::Gone),
        LIBUSB_TRANSFER_OVERFLOW => Err(Fault::Overflow),
        _ => Err(Fault::Failed("the transfer failed on the bus".into())),
    }
}
