//! Both ends of `/remote`: the front door that serves sector files, and the client that fetches them.
//!
//! The door decides one thing about a request: is it surely a sector file (or a pushed piece)?
//! Then it is handled here, else the connection becomes a tunnel to the control plane. Nothing here
//! knows what a token means or which file should be where: that is told from outside.

mod chunked;
pub mod door;
pub mod fetch;
mod listing;
mod names;

pub use names::{FileType, SectorName, cache_file_limit};
