//! The wish to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A wish to stop, shared by everybody who waits. Once set it stays set.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks every holder to stop at the next safe moment.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Has anybody asked?
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
