//! Two storage paths and a journal in a directory of their own; and file systems to put paths on.
#![allow(dead_code)] // each test binary uses its own part

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mover::{
    Control, Durable, EngineChoice, HashKind, Method, Mover, Options, Place, Result, Step,
    TransferRequest,
};

pub const FILE: &str = "sealed/s-t01000-7";
pub const DIRECTORY: &str = "cache/s-t01000-7";

/// A journal, a source and a target storage path.
pub struct Yard {
    _temp: tempfile::TempDir,
    pub journal: PathBuf,
    pub source: PathBuf,
    pub target: PathBuf,
    /// How its mover copies.
    pub engine: EngineChoice,
    ops: AtomicUsize,
}

impl Yard {
    pub fn new() -> Yard {
        let temp = tempfile::tempdir().unwrap();
        let (source, target) = (temp.path().join("seal"), temp.path().join("store"));
        Yard::on(temp, source, target)
    }

    /// With paths that lie elsewhere, on file systems of their own.
    pub fn between(source: &Path, target: &Path) -> Yard {
        Yard::on(
            tempfile::tempdir().unwrap(),
            source.to_owned(),
            target.to_owned(),
        )
    }

    fn on(temp: tempfile::TempDir, source: PathBuf, target: PathBuf) -> Yard {
        for path in [&source, &target] {
            for kind in ["sealed", "cache", "unsealed"] {
                fs::create_dir_all(path.join(kind)).unwrap();
            }
        }
        let journal = temp.path().join("moves.journal");
        Yard {
            _temp: temp,
            journal,
            source,
            target,
            engine: EngineChoice::Auto,
            ops: AtomicUsize::new(0),
        }
    }

    pub fn mover(&self) -> Mover {
        let options = Options {
            engine: self.engine,
        };
        Mover::open_with(&self.journal, options).unwrap()
    }

    pub fn from(&self, name: &str) -> PathBuf {
        self.source.join(name)
    }

    pub fn to(&self, name: &str) -> PathBuf {
        self.target.join(name)
    }

    /// A move of `name` with an id of its own, by the cheapest method.
    pub fn request(&self, name: &str) -> TransferRequest {
        let place = |root: &Path| Place {
            root: root.to_owned(),
            name: name.to_owned(),
        };
        TransferRequest {
            op: format!("op-{}", self.ops.fetch_add(1, Ordering::Relaxed)),
            source: place(&self.source),
            target: place(&self.target),
            keep_source: false,
            verify: false,
            tag: "sector 7".to_owned(),
            only: None,
            hash: HashKind::Off,
            skip_zeros: false,
        }
    }

    /// The same by copying, verified.
    pub fn copy_request(&self, name: &str) -> TransferRequest {
        TransferRequest {
            only: Some(Method::Copy),
            verify: true,
            ..self.request(name)
        }
    }

    /// All of a move, as its caller does it.
    pub fn move_wholly(&self, request: &TransferRequest) -> Result<Durable> {
        let mover = self.mover();
        let control = Control::new();
        let durable = mover.transfer(request, &control)?;
        if !request.keep_source {
            mover.remove_source(&request.op, &control)?;
        }
        mover.done(&request.op)?;
        Ok(durable)
    }

    /// Nothing is open, and no private name is left on either side.
    pub fn assert_tidy(&self) {
        let mover = self.mover();
        assert_eq!(mover.recover(&Control::new()).unwrap(), []);
        for root in [&self.source, &self.target] {
            assert_eq!(mover.leftovers(root).unwrap(), []);
        }
    }
}

/// Bytes without a zero among them.
pub fn content(size: usize, seed: u8) -> Vec<u8> {
    (0..size)
        .map(|at| ((at as u64 * 31 + at as u64 / 4096 * 7) as u8).wrapping_add(seed) | 1)
        .collect()
}

/// A cache directory of three files, one of them empty and one sparse.
pub fn write_cache(at: &Path) {
    fs::create_dir_all(at).unwrap();
    fs::write(at.join("p_aux"), content(64, 1)).unwrap();
    fs::write(at.join("t_aux"), []).unwrap();
    fs::write(at.join("sc-02-data-tree-r-last.dat"), content(70_000, 3)).unwrap();
    fs::File::options()
        .write(true)
        .open(at.join("sc-02-data-tree-r-last.dat"))
        .and_then(|file| file.set_len(3 << 20))
        .unwrap();
}

/// Name, length and content of all files: what must be the same afterwards.
pub fn snapshot(at: &Path) -> Option<Vec<(String, u32, Vec<u8>)>> {
    let of = |name: String, path: &Path| {
        (
            name,
            fs::metadata(path).unwrap().mode(),
            fs::read(path).unwrap(),
        )
    };
    let meta = fs::symlink_metadata(at).ok()?;
    if meta.is_file() {
        return Some(vec![of(String::new(), at)]);
    }
    let mut all: Vec<_> = fs::read_dir(at)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| of(entry.file_name().into_string().unwrap(), &entry.path()))
        .collect();
    all.sort();
    Some(all)
}

/// What a killed process leaves: no code of ours runs after the step.
pub struct Killed;

/// A control that ends the thread at its `at`-th step, and what steps there were.
pub fn killer(at: Option<usize>) -> (Control, Arc<Mutex<Vec<Step>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let control = Control::with_steps(move |step| {
        let mut log = log.lock().unwrap();
        log.push(step);
        if Some(log.len()) == at {
            drop(log);
            resume_unwind(Box::new(Killed));
        }
    });
    (control, seen)
}

/// Runs until it ends or is killed; None if it was killed. Other panics go on.
pub fn until_killed<T>(work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => Some(value),
        Err(panic) if panic.is::<Killed>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// A mounted file system, unmounted when it goes, also by a panic.
pub struct Mount {
    pub at: PathBuf,
    _temp: Option<tempfile::TempDir>,
}

impl Drop for Mount {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.at).status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.at.display());
        }
    }
}

fn run(command: &mut Command) -> std::result::Result<(), String> {
    let text = format!("{command:?}");
    let output = command
        .output()
        .map_err(|error| format!("{text}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{text}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

fn have(tool: &str) -> bool {
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&dirs).chain(["/sbin".into(), "/usr/sbin".into()]);
    all.map(|dir| dir.join(tool)).any(|path| path.exists())
}

/// Makes a file system of `megabytes` in a file and mounts it, or says why that is not possible here.
pub fn loop_mount(kind: &str, megabytes: u64) -> std::result::Result<Mount, String> {
    loop_mount_with(kind, megabytes, &[])
}

/// The same with options of its `mkfs`.
pub fn loop_mount_with(
    kind: &str,
    megabytes: u64,
    options: &[&str],
) -> std::result::Result<Mount, String> {
    let mkfs = format!("mkfs.{kind}");
    if !have(&mkfs) {
        return Err(format!("{mkfs} is not installed"));
    }
    let temp = tempfile::tempdir().unwrap();
    let image = temp.path().join("image");
    fs::File::create(&image)
        .and_then(|file| file.set_len(megabytes << 20))
        .unwrap();
    let at = temp.path().join("mount");
    fs::create_dir(&at).unwrap();
    run(Command::new(mkfs).arg("-q").args(options).arg(&image))?;
    run(Command::new("mount")
        .args(["-o", "loop"])
        .arg(&image)
        .arg(&at))?;
    Ok(Mount {
        at,
        _temp: Some(temp),
    })
}

/// A tmpfs of this size.
pub fn memory_mount(megabytes: u64) -> std::result::Result<Mount, String> {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().to_owned();
    let size = format!("size={megabytes}m");
    run(Command::new("mount")
        .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
        .arg(&at))?;
    Ok(Mount {
        at,
        _temp: Some(temp),
    })
}

/// Shows a directory a second time at `at`.
pub fn bind_mount(from: &Path, at: &Path) -> std::result::Result<Mount, String> {
    fs::create_dir_all(at).unwrap();
    run(Command::new("mount").arg("--bind").arg(from).arg(at))?;
    Ok(Mount {
        at: at.to_owned(),
        _temp: None,
    })
}

/// A directory with changes of its own over another one that stays as it is.
pub fn overlay_mount(below: &Path) -> std::result::Result<Mount, String> {
    let temp = tempfile::tempdir_in(below).unwrap();
    let dir = |name: &str| {
        let path = temp.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    };
    let (lower, upper, work, at) = (dir("lower"), dir("upper"), dir("work"), dir("mount"));
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    run(Command::new("mount")
        .args(["-t", "overlay", "-o", &options, "overlay"])
        .arg(&at))?;
    Ok(Mount {
        at,
        _temp: Some(temp),
    })
}

/// Ends a test that cannot run here, visibly.
pub fn skip(title: &str, reason: &str) {
    println!("SKIP: {title}: {reason}");
}
