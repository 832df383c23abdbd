//! The only place that decides whether a package may go onto a module.
