//! The one public port of a node.
//!
//! One thread with epoll reads request heads, carries tunnels and sends small answers, small files from
//! memory among them. Other sector files leave and pushed bodies arrive on a few threads of low priority, which never wait for a client:
//! one that stands still is parked in epoll and costs nothing but its descriptor.
//!
//! Whoever is waited for must keep a pace: a client that takes or sends too little while nothing else
//! holds it up is cut, on a transfer, a push and a tunnel alike.
//!
//! States of a connection: *head* (a request is awaited or arriving), *judging* (its token is being
//! asked about), *expecting* (a push nobody waits for yet), *with the pool* (a file leaves or a body
//! arrives), *parked*, *tunnel* (one request and its answer, or all that follows), *replying*,
//! *lingering* (answered for the last time; read until the client has gone, so that a reset does not eat
//! the answer).

mod accepting;
mod addresses;
mod archive;
mod bench;
mod client;
mod conditions;
mod connection;
mod event_loop;
mod exchange;
mod expectations;
mod fields;
mod flow;
mod front_door;
mod head;
pub(crate) mod http_date;
mod inbox;
mod intake;
mod job;
mod listener;
mod local_disks;
mod observer;
mod pace;
mod peers;
mod poller;
mod pool;
#[cfg(test)]
mod properties;
mod publications;
mod quick;
mod range;
mod read_ahead;
mod reply;
mod requests;
mod response;
mod scopes;
mod sending;
mod serve_engine;
mod source;
mod timekeeping;
mod tokens;
mod transfer;
mod tunnel;
mod upload;
mod upstream;

pub use front_door::{FrontDoor, Options};
pub use observer::{Event, Level, Observer, StatsNow};
pub use scopes::Scopes;
pub use serve_engine::ServeEngine;
pub use tokens::Verdict;
pub use upload::{Upload, UploadErrorCode, UploadFailure, UploadOutcome};
