//! Eigencomm.
