//! Space: what file systems say, and the arithmetic of `crates/space`.

use napi::bindgen_prelude::{Either, PromiseRaw};
use napi::{Env, Error, Result};
use napi_derive::napi;

use crate::background::in_background;
use crate::failure::{NativeFailure, capped, exact, number, outcome, panicked};

/// What a file system says of itself now.
#[napi(object, use_nullable = true)]
pub struct FilesystemState {
    pub capacity_bytes: f64,
    pub available_bytes: f64,
    pub total_inodes: f64,
    pub free_inodes: f64,
    /// Same string = same free space.
    pub filesystem: String,
    #[napi(js_name = "type")]
    pub kind: String,
    pub mount_id: f64,
}

#[napi(object, use_nullable = true)]
pub struct DiskUsage {
    /// Null if nothing is there.
    pub bytes: Option<f64>,
}

#[napi(object, use_nullable = true)]
pub struct SpaceFilesystem {
    pub id: String,
    pub available_bytes: f64,
    pub floor_bytes: f64,
}

#[napi(object, use_nullable = true)]
pub struct SpacePath {
    pub id: String,
    pub filesystem: String,
    pub max_bytes: Option<f64>,
    pub used_bytes: f64,
}

#[napi(object, use_nullable = true)]
pub struct SpaceEntry {
    pub id: String,
    pub path: String,
    pub bytes: f64,
    pub on_disk_bytes: f64,
}

#[napi(object, use_nullable = true)]
pub struct SpaceSnapshot {
    pub filesystems: Vec<SpaceFilesystem>,
    pub paths: Vec<SpacePath>,
    pub held: Vec<SpaceEntry>,
}

/// The entry that did not fit, and why.
#[napi(object, use_nullable = true)]
pub struct SpaceRefusal {
    pub id: String,
    pub path: String,
    pub filesystem: String,
    pub wanted_bytes: f64,
    pub available_bytes: f64,
    pub limited_by_max: bool,
}

/// What this kernel and this user may do.
#[napi(object, use_nullable = true)]
pub struct KernelAbilities {
    pub io_uring: bool,
    pub cachestat: bool,
    pub root: bool,
    pub kernel: String,
}

type Checked<T> = Result<T, String>;

impl SpaceFilesystem {
    fn convert(self) -> Checked<space::Filesystem> {
        Ok(space::Filesystem {
            available_bytes: exact("availableBytes", self.available_bytes)?,
            floor_bytes: exact("floorBytes", self.floor_bytes)?,
            id: self.id,
        })
    }
}

impl SpacePath {
    fn convert(self) -> Checked<space::StoragePath> {
        Ok(space::StoragePath {
            max_bytes: self
                .max_bytes
                .map(|max| exact("maxBytes", max))
                .transpose()?,
            used_bytes: exact("usedBytes", self.used_bytes)?,
            id: self.id,
            filesystem: self.filesystem,
        })
    }
}

impl SpaceEntry {
    fn convert(self) -> Checked<space::Entry> {
        Ok(space::Entry {
            bytes: exact("bytes", self.bytes)?,
            on_disk_bytes: exact("onDiskBytes", self.on_disk_bytes)?,
            id: self.id,
            path: self.path,
        })
    }
}

impl SpaceSnapshot {
    fn convert(self) -> Checked<space::Snapshot> {
        let SpaceSnapshot {
            filesystems,
            paths,
            held,
        } = self;
        Ok(space::Snapshot {
            filesystems: filesystems
                .into_iter()
                .map(SpaceFilesystem::convert)
                .collect::<Checked<_>>()?,
            paths: paths
                .into_iter()
                .map(SpacePath::convert)
                .collect::<Checked<_>>()?,
            held: held
                .into_iter()
                .map(SpaceEntry::convert)
                .collect::<Checked<_>>()?,
        })
    }
}

fn invalid(reason: space::Invalid) -> Error<String> {
    Error::new(mover::Code::Invalid.as_str().to_owned(), reason.to_string())
}

/// statvfs of the file system below a directory.
#[napi(catch_unwind)]
pub fn filesystem_of(
    env: &Env,
    path: String,
) -> Result<PromiseRaw<'static, Either<FilesystemState, NativeFailure>>> {
    let convert = |state: mover::FilesystemState| FilesystemState {
        capacity_bytes: capped(state.capacity_bytes),
        available_bytes: capped(state.available_bytes),
        total_inodes: capped(state.total_inodes),
        free_inodes: capped(state.free_inodes),
        filesystem: state.filesystem,
        kind: state.kind,
        mount_id: capped(state.mount_id),
    };
    let work = move || outcome(mover::filesystem_of(path.as_ref()), convert);
    in_background(env, "sealyard-statfs", work, panicked)
}

/// Bytes that a file or tree takes on its disk.
#[napi(catch_unwind)]
pub fn disk_usage(
    env: &Env,
    path: String,
) -> Result<PromiseRaw<'static, Either<DiskUsage, NativeFailure>>> {
    let convert = |bytes: Option<u64>| DiskUsage {
        bytes: bytes.map(number),
    };
    let work = move || outcome(mover::disk_usage(path.as_ref()), convert);
    in_background(env, "sealyard-usage", work, panicked)
}

/// Null if all of `wanted` fit at once.
#[napi(catch_unwind)]
pub fn space_admit(
    snapshot: SpaceSnapshot,
    wanted: Vec<SpaceEntry>,
) -> Result<Option<SpaceRefusal>, String> {
    let snapshot = snapshot.convert()?;
    let wanted = wanted
        .into_iter()
        .map(SpaceEntry::convert)
        .collect::<Checked<Vec<_>>>()?;
    Ok(match space::admit(&snapshot, &wanted).map_err(invalid)? {
        space::Verdict::Granted => None,
        space::Verdict::Refused(refusal) => Some(SpaceRefusal {
            id: refusal.id,
            path: refusal.path,
            filesystem: refusal.filesystem,
            wanted_bytes: number(refusal.wanted_bytes),
            available_bytes: number(refusal.available_bytes),
            limited_by_max: refusal.limited_by_max,
        }),
    })
}

/// What this kernel and this user may do.
#[napi(catch_unwind)]
pub fn kernel_abilities() -> KernelAbilities {
    KernelAbilities {
        io_uring: sys::abilities::io_uring(),
        cachestat: sys::abilities::cachestat(),
        root: sys::abilities::root(),
        kernel: sys::abilities::kernel_release(),
    }
}
