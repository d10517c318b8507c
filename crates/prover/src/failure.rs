use std::io::ErrorKind;

/// Why a task was not done, in a form the worker can act on.
#[derive(Debug)]
pub struct Failure {
    /// A word the worker matches; protocol.md lists them.
    pub kind: &'static str,
    /// One line for an operator.
    pub message: String,
}

impl Failure {
    /// The request itself makes no sense: asking again cannot help.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new("bad-request", message)
    }

    /// The task would run over its own leftovers and end with a wrong result.
    pub fn not_restartable(message: impl Into<String>) -> Self {
        Self::new("not-restartable", message)
    }

    /// The sector's files are not what they should be.
    pub fn bad_sector(message: impl Into<String>) -> Self {
        Self::new("bad-sector", message)
    }

    /// Any other word.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// What the proofs crates say becomes a kind where a worker must tell it apart.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let message = format!("{error:#}").replace('\n', " ");
        let io = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<std::io::Error>())
            .map(std::io::Error::kind);
        Self::new(kind_of(&message, io), message)
    }
}

/// Some crates below pass an io::Error on as text only, hence the look at the message.
fn kind_of(message: &str, io: Option<ErrorKind>) -> &'static str {
    if message.contains("No cached parameters found") {
        "missing-parameters"
    } else if io == Some(ErrorKind::StorageFull) || message.contains("(os error 28)") {
        "no-space"
    } else if io == Some(ErrorKind::NotFound) || message.contains("(os error 2)") {
        "missing-file"
    } else if io.is_some() {
        "io"
    } else {
        // The crates check what they made: a stale layer, a wrong tree or foreign pieces end here.
        "bad-sector"
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl From<unsealed::TrailerError> for Failure {
    fn from(error: unsealed::TrailerError) -> Self {
        match error {
            unsealed::TrailerError::Io(error) => error.into(),
            other => Self::new("bad-unsealed-file", other.to_string()),
        }
    }
}

/// Names the file in a system error, which does not do so itself.
pub trait NamesFile<T> {
    /// Puts `what` and the path before the error's text.
    fn of(self, what: &str, path: &std::path::Path) -> Result<T, Failure>;
}

impl<T> NamesFile<T> for std::io::Result<T> {
    fn of(self, what: &str, path: &std::path::Path) -> Result<T, Failure> {
        self.map_err(|error| {
            let context = format!("{what} {}", path.display());
            anyhow::Error::from(error).context(context).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_wrong_sector() {
        let full = std::io::Error::from_raw_os_error(28);
        assert_eq!(Failure::from(full).kind, "no-space");
        let text = anyhow::anyhow!("layer 3: No space left on device (os error 28)");
        assert_eq!(Failure::from(text).kind, "no-space");
        let proof = anyhow::anyhow!("Invalid encoding proof generated at layer 2");
        assert_eq!(Failure::from(proof).kind, "bad-sector");
    }
}
