//! Failures and numbers on their way across.

use napi::bindgen_prelude::Either;
use napi::{Error, Result};
use napi_derive::napi;

/// The largest integer a JavaScript number holds exactly.
const LARGEST: u64 = (1 << 53) - 1;

/// What was not done, as a value: see `NativeErrorCode` for the words.
#[napi(object, use_nullable = true)]
pub struct NativeFailure {
    /// Always true: tells a failure from a result.
    pub failed: bool,
    pub code: String,
    /// The kernel's number, null where the kernel was not the one that refused.
    pub errno: Option<i32>,
    pub syscall: Option<String>,
    pub path: Option<String>,
    pub bytes_done: f64,
    /// One line for an operator.
    pub message: String,
}

/// Done, with nothing to tell.
#[napi(object, use_nullable = true)]
pub struct Nothing {
    pub ok: bool,
}

impl From<mover::Failure> for NativeFailure {
    fn from(failure: mover::Failure) -> Self {
        NativeFailure {
            failed: true,
            code: failure.code.as_str().to_owned(),
            errno: failure.errno,
            syscall: failure.syscall.map(str::to_owned),
            path: failure.path,
            bytes_done: number(failure.bytes_done),
            message: failure.message,
        }
    }
}

/// A result or a failure, as the promise gives it.
pub type Outcome<T> = Either<T, NativeFailure>;

/// Converts what a crate returned.
pub fn outcome<T, U>(result: mover::Result<T>, convert: impl FnOnce(T) -> U) -> Outcome<U> {
    match result {
        Ok(value) => Either::A(convert(value)),
        Err(failure) => Either::B(failure.into()),
    }
}

/// The outcome of work that panicked: a bug of ours, told in words instead of ending the daemon.
pub fn panicked<T>(text: String) -> Outcome<T> {
    Either::B(NativeFailure {
        failed: true,
        code: mover::Code::Io.as_str().to_owned(),
        errno: None,
        syscall: None,
        path: None,
        bytes_done: 0.0,
        message: format!("internal error, please report it: {text}"),
    })
}

/// A failure of a synchronous call, thrown with its code.
pub fn thrown(failure: mover::Failure) -> Error<String> {
    Error::new(failure.code.as_str().to_owned(), failure.message)
}

/// Bytes and counts, which JavaScript holds exactly up to 8 PiB: more is a bug.
pub fn number(value: u64) -> f64 {
    assert!(value <= LARGEST, "{value} is more than a number holds");
    value as f64
}

/// What a file system says of itself; some without a limit of their own say 8 EiB.
pub fn capped(value: u64) -> f64 {
    value.min(LARGEST) as f64
}

/// A count given by JavaScript.
/// # Errors
/// `INVALID` for what is not an integer from 0 to 2^53 − 1.
pub fn exact(what: &str, value: f64) -> Result<u64, String> {
    let whole = value.fract() == 0.0 && (0.0..=LARGEST as f64).contains(&value);
    if whole {
        return Ok(value as u64);
    }
    let message = format!("{what}: {value} is not a whole number from 0 to 2^53 - 1");
    Err(Error::new(
        mover::Code::Invalid.as_str().to_owned(),
        message,
    ))
}
