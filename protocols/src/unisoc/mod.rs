//! Unisoc.
