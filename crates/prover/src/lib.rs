//! What the prover and the maker of parameters both need.

pub mod parameter_file;
