//! Unisoc: one frame, one answer. Of a frame of `F` payload bytes, a line of `B` bytes a second and a module that
//! answers after `L`, no host gets more than
//!
//! ```text
//! F / (F / B + L + h)        h: what the host needs between the answer and the next frame
//! ```
//!
//! The frames alone are measured on one core ([`codec`]). Over lines whose time is computed ([`lines`]) the host is held to that with `h` = 0; over pseudo-terminals in
//! real time ([`rates`]) `h` itself is measured, and what the largest frames reach.

mod codec;
mod lines;
mod peer;
mod rates;
mod session;

use super::{Figure, Outcome};

pub fn measure(quick: bool) -> Outcome<Vec<Figure>> {
    let mut figures = codec::measure(quick)?;
    figures.extend(lines::measure(quick)?);
    figures.extend(rates::measure(quick)?);
    Ok(figures)
}
