//! Disks whose power can be cut, with a file system on each.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::tell::Random;

pub mod fuse;
pub mod looped;
pub mod memory;
pub mod userspace;

/// A mounted file system that can lose its power at any moment.
pub trait Disk: Sync {
    /// Its name for people, such as `xfs`.
    fn title(&self) -> &str;

    /// Where it is mounted.
    fn at(&self) -> &Path;

    /// Cuts it off at once: what is not durable is gone, or some of it; every later call fails.
    /// # Errors
    /// When it cannot be cut off.
    fn cut(&self, random: &mut Random) -> Outcome<()>;

    /// Unmounts it, gives it its power back and mounts it again: the file system looks after itself.
    /// # Errors
    /// When it does not come up.
    fn restart(&mut self) -> Outcome<()>;

    /// Keeps what it holds while it is not mounted, between a cut and the restart, for [`Disk::rewind`].
    /// # Errors
    /// When it cannot be kept.
    fn keep(&mut self) -> Outcome<()>;

    /// Unmounts it and mounts what was kept.
    /// # Errors
    /// When it does not come up.
    fn rewind(&mut self) -> Outcome<()>;
}

/// Runs a program to its end.
/// # Errors
/// What it said.
pub fn run(command: &mut Command) -> Outcome<String> {
    let text = format!("{command:?}");
    let output = command
        .output()
        .map_err(|error| format!("{text}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!(
        "{text}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

/// The program that makes file systems of a kind, or why there is none.
/// # Errors
/// That it is not installed.
pub fn maker(kind: &str) -> Outcome<std::path::PathBuf> {
    let name = format!("mkfs.{kind}");
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&dirs)
        .chain(["/sbin".into(), "/usr/sbin".into()])
        .map(|dir| dir.join(&name))
        .find(|path| path.exists())
        .ok_or(format!("{name} is not installed"))
}

/// Unmounts. A child that another thread has just forked holds our descriptors until it becomes its program: EBUSY
/// of that kind passes.
/// # Errors
/// Those of umount.
pub fn unmount(at: &Path) -> Outcome<()> {
    let mut outcome = Ok(());
    for _ in 0..200 {
        outcome = run(Command::new("umount").arg(at)).map(drop);
        match &outcome {
            Err(reason) if reason.contains("busy") => std::thread::sleep(Duration::from_millis(10)),
            _ => break,
        }
    }
    outcome
}

/// Mounts an image. A process with mounts of its own may have seen the one before and keep it alive for a moment: the
/// kernel then gives back the same dead file system, and another try a living one.
/// # Errors
/// Those of mount, and what a file system that stays dead says.
pub fn mount_image(image: &Path, at: &Path) -> Outcome<()> {
    let probe = at.join(".alive");
    let mut outcome = Ok(());
    for _ in 0..200 {
        run(Command::new("mount").args(["-o", "loop"]).args([image, at]))?;
        let alive = std::fs::write(&probe, "").and_then(|()| std::fs::remove_file(&probe));
        let Err(error) = alive else {
            return Ok(());
        };
        outcome = Err(format!("{} is dead: {error}", at.display()));
        unmount(at)?;
        std::thread::sleep(Duration::from_millis(10));
    }
    outcome
}

/// Unmounts, waiting for nobody if it is in use.
pub fn unmount_for_good(at: &Path) {
    let gone = run(Command::new("umount").arg(at))
        .or_else(|_| run(Command::new("umount").arg("-l").arg(at)));
    if let Err(reason) = gone {
        eprintln!("{} stays mounted: {reason}", at.display());
    }
}
