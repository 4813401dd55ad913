//! The pool against scripted servers.
