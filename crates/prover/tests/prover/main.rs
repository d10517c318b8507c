//! The prover as its users see it: a child process that answers lines.

mod child;
mod lines;
mod seal;
mod traps;
mod unsealed;
