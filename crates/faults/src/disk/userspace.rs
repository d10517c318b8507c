//! A file system on a disk that this process plays: it can lose what was not flushed, fail, and be slow. The only
//! way to cut the power of a btrfs, which has no call for it, and to meet what io_uring does, which no filter sees.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fuse::Served;
use super::looped::fast;
use super::memory::{Faults, Memory};
use super::{Disk, maker, mount_image, run, unmount, unmount_for_good};
use crate::tell::Random;
use crate::{Outcome, while_doing};

/// A mounted file system on a loop device on a file of ours.
pub struct Userspace {
    kind: String,
    memory: Arc<Mutex<Memory>>,
    file: PathBuf,
    at: PathBuf,
    mounted: bool,
    // Goes after the file system on it is unmounted.
    _served: Served,
    _temp: tempfile::TempDir,
}

impl Userspace {
    /// Makes the file system and mounts it.
    /// # Errors
    /// What this machine lacks: root, loop devices, FUSE, mkfs.
    pub fn make(kind: &str, mebibytes: u64) -> Outcome<Userspace> {
        if !sys::abilities::root() {
            return Err("needs root to mount a file system".to_owned());
        }
        let mkfs = maker(kind)?;
        let temp = tempfile::tempdir_in(fast()).map_err(while_doing("making a directory"))?;
        let [image, file, at] = ["image", "disk", "mount"].map(|name| temp.path().join(name));
        let made = File::create(&image).and_then(|image| image.set_len(mebibytes << 20));
        made.map_err(while_doing("making an image"))?;
        run(Command::new(mkfs).arg("-q").arg(&image))?;
        let memory = File::open(&image).map_err(while_doing("opening the image"))?;
        let memory = Arc::new(Mutex::new(Memory::load(&memory)?));
        let prepared = fs::remove_file(&image)
            .and_then(|()| File::create(&file).map(drop))
            .and_then(|()| fs::create_dir(&at));
        prepared.map_err(while_doing("making a disk"))?;
        let served = Served::mount(&file, memory.clone())?;
        let mut disk = Userspace {
            kind: kind.to_owned(),
            memory,
            file,
            at,
            mounted: false,
            _served: served,
            _temp: temp,
        };
        disk.mount()?;
        Ok(disk)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mount(&mut self) -> Outcome<()> {
        mount_image(&self.file, &self.at)?;
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

    /// Fails from now on in this way.
    pub fn set_faults(&self, faults: Faults) {
        self.memory().set_faults(faults);
    }

    /// Whether a request had to wait since the faults were set.
    pub fn has_stalled(&self) -> bool {
        self.memory().has_stalled()
    }

    /// Reads, writes and failures since the faults were set.
    pub fn counts(&self) -> [u64; 3] {
        self.memory().counts()
    }
}

impl Drop for Userspace {
    fn drop(&mut self) {
        if self.mounted {
            unmount_for_good(&self.at);
        }
    }
}

impl Disk for Userspace {
    fn title(&self) -> &str {
        &self.kind
    }

    fn at(&self) -> &Path {
        &self.at
    }

    fn cut(&self, random: &mut Random) -> Outcome<()> {
        self.memory().cut(random);
        Ok(())
    }

    fn restart(&mut self) -> Outcome<()> {
        self.unmount()?;
        self.memory().power_on();
        self.mount()
    }

    fn keep(&mut self) -> Outcome<()> {
        self.unmount()?;
        self.memory().keep();
        Ok(())
    }

    fn rewind(&mut self) -> Outcome<()> {
        self.unmount()?;
        self.memory().rewind();
        self.memory().power_on();
        self.mount()
    }
}
