//! The events of a run. Sources send every fact; renderers decide how often to draw.
