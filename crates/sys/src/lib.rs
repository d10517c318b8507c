//! One function per kernel call, and the only `unsafe` of the addon.
//!
//! Results are the kernel's: what an errno means is for the caller to decide. EINTR is retried
//! where a second call cannot do harm, so never on fsync (a second fsync reports success for
//! pages that the first one lost).
#![allow(unsafe_code)]

pub mod abilities;
pub mod direct;
pub mod extents;
#[cfg(feature = "faults")]
pub mod faults;
pub mod files;
pub mod filesystem;
pub mod names;
pub mod processes;
pub mod ring;
pub mod slots;
pub mod sockets;
pub mod threads;
pub mod uncached;

pub use rustix::io::Errno;

/// What a kernel call gives back.
pub type Result<T> = std::result::Result<T, Errno>;
