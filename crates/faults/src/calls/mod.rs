//! Every system call of a move, each made to fail: a seccomp filter asks this process before the kernel makes them.

pub mod caller;
pub mod campaign;
pub mod points;
pub mod scenarios;
pub mod supervisor;
pub mod table;
pub mod trap;
pub mod worker;
