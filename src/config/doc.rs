//! `docs/CONFIG.md`, written from the table of settings.
