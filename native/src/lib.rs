//! The N-API surface of Sealyard: convert, call one crate function, convert back.
