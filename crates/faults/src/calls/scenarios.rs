//! The kinds of moves whose calls are gone through, and where they are made.

use std::path::{Path, PathBuf};
use std::process::Command;

use mover::{Engine, EngineChoice, Method};

use super::points::Scenario;
use crate::disk::looped::fast;
use crate::disk::{Disk, run, unmount_for_good};
use crate::scene::Subject;
use crate::{Outcome, while_doing};

/// Two directories on two file systems, in memory where that can be: a fault at a call is about the call, not about
/// the disk, and making a source durable on a busy disk would take most of the time.
pub struct Ground {
    here: PathBuf,
    there: PathBuf,
    mounted: Option<tempfile::TempDir>,
}

impl Ground {
    /// Without root both are one directory, and moves between them are told to copy.
    /// # Errors
    /// When a directory cannot be made.
    pub fn prepare() -> Outcome<Ground> {
        let here = fast();
        let own = tempfile::tempdir_in(&here).map_err(while_doing("making a directory"))?;
        let mount = run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256m", "tmpfs"])
            .arg(own.path()));
        let mounted = mount.is_ok().then_some(own);
        let there = mounted
            .as_ref()
            .map_or(here.clone(), |own| own.path().to_owned());
        Ok(Ground {
            here,
            there,
            mounted,
        })
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(own) = &self.mounted {
            unmount_for_good(own.path());
        }
    }
}

/// A copy of a file and of a directory from one file system to another, a rename of both within one, and a copy that
/// keeps its source.
pub fn scenarios(ground: &Ground, bytes: usize) -> Vec<Scenario> {
    let Ground { here, there, .. } = ground;
    let scenario = |title: &str, subject, only, to: &Path| Scenario {
        title: title.to_owned(),
        subject,
        only,
        engine: EngineChoice::Auto,
        keep_source: false,
        from: here.clone(),
        to: to.to_owned(),
        bytes,
    };
    let copy = (there == here).then_some(Method::Copy);
    vec![
        scenario("copy of a file", Subject::File, copy, there),
        scenario("copy of a directory", Subject::Directory, copy, there),
        scenario("rename of a file", Subject::File, None, here),
        scenario("rename of a directory", Subject::Directory, None, here),
        Scenario {
            keep_source: true,
            ..scenario("copy that keeps its file", Subject::File, copy, there)
        },
    ]
}

/// A clone, which needs a file system that shares blocks.
pub fn clone_within(disk: &dyn Disk, bytes: usize) -> Scenario {
    Scenario {
        title: format!("clone of a directory within {}", disk.title()),
        subject: Subject::Directory,
        only: Some(Method::Clone),
        engine: EngineChoice::Auto,
        keep_source: false,
        from: disk.at().to_owned(),
        to: disk.at().to_owned(),
        bytes,
    }
}

/// Copies by the engines that a file system in memory does not have; the calls of the buffered one are those of the
/// copies to it. A supervisor sees of the direct engine what comes before and after its reads and writes, and its waits.
pub fn engines_within(disk: &dyn Disk, bytes: usize) -> Vec<Scenario> {
    let scenario = |engine: Engine, subject| Scenario {
        title: format!(
            "{} copy of a {} within {}",
            engine.as_str(),
            if subject == Subject::File {
                "file"
            } else {
                "directory"
            },
            disk.title()
        ),
        subject,
        only: Some(Method::Copy),
        engine: EngineChoice::Forced(engine),
        ..clone_within(disk, bytes)
    };
    let engines = [Engine::Direct, Engine::Uncached];
    let subjects = [Subject::File, Subject::Directory];
    engines
        .into_iter()
        .flat_map(|engine| subjects.map(|subject| scenario(engine, subject)))
        .collect()
}
