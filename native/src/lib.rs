//! The N-API surface of Sealyard: convert, call one crate function, convert back.
//!
//! Failures of background work are values, never rejections. `catch_unwind` stands on every export:
//! without it a panic would end the daemon.

mod background;
mod failure;
mod fetch;
mod front_door;
mod mover;
mod space;
mod unsealed;
