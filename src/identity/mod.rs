//! What a module is: ordering codes, revisions, and the questions that get them.
