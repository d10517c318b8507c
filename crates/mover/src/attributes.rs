//! Mode, owner and time of change: a moved file is served to the same users as before.

use std::os::fd::OwnedFd;

use sys::Errno;
use sys::files::{self, Stat};

use crate::failure::{During, Result};

/// Gives an open file or directory the attributes of its source.
pub(crate) fn apply(file: &OwnedFd, source: &Stat, label: &str) -> Result<()> {
    let path = || label.to_owned();
    let now = files::stat(file).during("fstat", path)?;
    if now.owner != source.owner {
        // Only root may give files away, and not to a user its namespace lacks; others keep them, as cp does.
        match files::set_owner(file, source.owner) {
            Err(Errno::PERM | Errno::ACCESS | Errno::INVAL) => {}
            other => other.during("fchown", path)?,
        }
    }
    // After the owner: a change of owner takes bits away.
    files::set_mode(file, source.mode).during("fchmod", path)?;
    files::set_mtime(file, source.mtime_ns).during("utimensat", path)
}
