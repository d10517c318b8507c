//! A file system in a file, behind a loop device; xfs and ext4 can be shut down by an ioctl.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use sys::faults::{Shutdown, shut_down};

use super::{Disk, maker, mount_image, run, unmount, unmount_for_good};
use crate::tell::Random;
use crate::{Outcome, while_doing};

/// Smallest sizes that hold a few sectors of a test: mkfs.xfs makes none below 300 MB.
pub const KINDS: [(&str, u64); 2] = [("xfs", 320), ("ext4", 64)];

/// A mounted image.
pub struct Looped {
    kind: String,
    image: PathBuf,
    kept: PathBuf,
    at: PathBuf,
    mounted: bool,
    _temp: tempfile::TempDir,
}

impl Looped {
    /// Makes the file system and mounts it.
    /// # Errors
    /// What this machine lacks, in words: root, loop devices, mkfs.
    pub fn make(kind: &str, mebibytes: u64) -> Outcome<Looped> {
        if !sys::abilities::root() {
            return Err("needs root to mount a file system".to_owned());
        }
        let mkfs = maker(kind)?;
        let temp = tempfile::tempdir_in(fast()).map_err(while_doing("making a directory"))?;
        let [image, kept, at] = ["image", "kept", "mount"].map(|name| temp.path().join(name));
        File::create(&image)
            .and_then(|file| file.set_len(mebibytes << 20))
            .and_then(|()| fs::create_dir(&at))
            .map_err(while_doing("making an image"))?;
        run(Command::new(mkfs).arg("-q").arg(&image))?;
        let mut disk = Looped {
            kind: kind.to_owned(),
            image,
            kept,
            at,
            mounted: false,
            _temp: temp,
        };
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&mut self) -> Outcome<()> {
        mount_image(&self.image, &self.at)?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Outcome<()> {
        if self.mounted {
            unmount(&self.at)?;
            self.mounted = false;
        }
        Ok(())
    }

    /// Shuts the file system down in this way.
    /// # Errors
    /// ENOTTY where it has no such call.
    pub fn shut(&self, how: Shutdown) -> Outcome<()> {
        let what = format!("shutting {} down", self.kind);
        let directory = File::open(&self.at).map_err(while_doing(&what))?;
        shut_down(directory, how).map_err(while_doing(&what))
    }

    /// Somebody else has unmounted it.
    pub fn was_unmounted(&mut self) {
        self.mounted = false;
    }
}

impl Drop for Looped {
    fn drop(&mut self) {
        if self.mounted {
            unmount_for_good(&self.at);
        }
    }
}

impl Disk for Looped {
    fn title(&self) -> &str {
        &self.kind
    }

    fn at(&self) -> &Path {
        &self.at
    }

    fn cut(&self, random: &mut Random) -> Outcome<()> {
        self.shut(*random.pick(&[Shutdown::LogFlushed, Shutdown::NothingFlushed]))
    }

    fn restart(&mut self) -> Outcome<()> {
        self.unmount()?;
        self.mount()
    }

    fn keep(&mut self) -> Outcome<()> {
        self.unmount()?;
        copy_image(&self.image, &self.kept)
    }

    fn rewind(&mut self) -> Outcome<()> {
        self.unmount()?;
        copy_image(&self.kept, &self.image)?;
        self.mount()
    }
}

fn copy_image(from: &Path, to: &Path) -> Outcome<()> {
    run(Command::new("cp").arg("--sparse=always").args([from, to])).map(drop)
}

/// Images lie in memory where there is some: cuts are about order, not about speed.
pub fn fast() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}
