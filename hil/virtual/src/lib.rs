//! Virtual Quectel modules.
