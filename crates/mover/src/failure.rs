//! What went wrong, in words a caller can match and a sentence an operator can use.

use std::fmt;

use sys::Errno;

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// ENOSPC, EDQUOT or no inodes.
    NoSpace,
    /// The source or a storage path is not there.
    NotFound,
    /// The final name is taken by other content.
    TargetDiffers,
    /// The source changed while or since it was read.
    SourceChanged,
    /// Read back, the target is not what was written.
    VerifyFailed,
    /// A directory holds something that was not moved.
    UnexpectedFile,
    /// Another directory lies where the storage path was.
    PathChanged,
    /// EIO, EROFS, ESTALE and the like.
    PathSick,
    /// EACCES, EPERM.
    AccessDenied,
    /// Cancelled by the caller.
    Cancelled,
    /// The one method that was allowed does not work between these paths.
    NotHere,
    /// The operation id is in use.
    Busy,
    /// The move is unknown, or not as far as this step needs.
    WrongState,
    /// The journal is corrupt, locked or cannot be written.
    Journal,
    /// A name or id that is not allowed.
    Invalid,
    /// Any other error of the kernel.
    Io,
}

impl Code {
    /// The word that crosses to TypeScript.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::NoSpace => "NO_SPACE",
            Code::NotFound => "NOT_FOUND",
            Code::TargetDiffers => "TARGET_DIFFERS",
            Code::SourceChanged => "SOURCE_CHANGED",
            Code::VerifyFailed => "VERIFY_FAILED",
            Code::UnexpectedFile => "UNEXPECTED_FILE",
            Code::PathChanged => "PATH_CHANGED",
            Code::PathSick => "PATH_SICK",
            Code::AccessDenied => "ACCESS_DENIED",
            Code::Cancelled => "CANCELLED",
            Code::NotHere => "NOT_HERE",
            Code::Busy => "BUSY",
            Code::WrongState => "WRONG_STATE",
            Code::Journal => "JOURNAL",
            Code::Invalid => "INVALID",
            Code::Io => "IO",
        }
    }

    fn of_errno(errno: Errno) -> Code {
        match errno {
            Errno::NOSPC | Errno::DQUOT => Code::NoSpace,
            Errno::NOENT => Code::NotFound,
            Errno::ACCESS | Errno::PERM => Code::AccessDenied,
            Errno::IO
            | Errno::ROFS
            | Errno::STALE
            | Errno::TIMEDOUT
            | Errno::UCLEAN
            | Errno::NODEV
            | Errno::NXIO
            | Errno::NOTCONN
            | Errno::SHUTDOWN => Code::PathSick,
            Errno::LOOP | Errno::NOTDIR | Errno::ILSEQ | Errno::NAMETOOLONG => Code::Invalid,
            _ => Code::Io,
        }
    }
}

/// A step that was not done. The state before it is intact unless the message says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it is about.
    pub code: Code,
    /// The kernel's number, where the kernel refused.
    pub errno: Option<i32>,
    /// The call it refused.
    pub syscall: Option<&'static str>,
    /// What the call was about.
    pub path: Option<String>,
    /// Bytes copied before it.
    pub bytes_done: u64,
    /// One line for an operator.
    pub message: String,
}

impl Failure {
    /// A failure that is not the kernel's.
    pub fn new(code: Code, path: impl Into<String>, message: impl Into<String>) -> Failure {
        let path = path.into();
        let message = format!("{path}: {}", message.into());
        Failure {
            code,
            errno: None,
            syscall: None,
            path: Some(path),
            bytes_done: 0,
            message,
        }
    }

    /// A refused kernel call.
    pub fn kernel(syscall: &'static str, path: impl Into<String>, errno: Errno) -> Failure {
        let path = path.into();
        let text = std::io::Error::from_raw_os_error(errno.raw_os_error());
        Failure {
            code: Code::of_errno(errno),
            errno: Some(errno.raw_os_error()),
            syscall: Some(syscall),
            message: format!("{path}: {syscall}: {text}"),
            path: Some(path),
            bytes_done: 0,
        }
    }

    /// The same failure about something else, for example a journal that ran into EIO.
    pub fn recoded(self, code: Code) -> Failure {
        Failure { code, ..self }
    }

    /// The same failure with more to say.
    pub fn adding(mut self, more: &str) -> Failure {
        self.message = format!("{} ({more})", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Shorthand for what this crate returns.
pub type Result<T> = std::result::Result<T, Failure>;

/// Gives a kernel result the call and the path it was about.
pub(crate) trait During<T> {
    /// Turns an errno into a failure; the path is made only then.
    fn during(self, syscall: &'static str, path: impl FnOnce() -> String) -> Result<T>;
}

impl<T> During<T> for sys::Result<T> {
    fn during(self, syscall: &'static str, path: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|errno| Failure::kernel(syscall, path(), errno))
    }
}
