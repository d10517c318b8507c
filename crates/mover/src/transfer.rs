//! One transfer, from two names to a durable target: the ladder of methods.
//!
//! Each rung is done, not here (the next one is tried), or failed (everything is undone).

use sys::{Errno, files};

use crate::control::{Control, Step};
use crate::copy::EngineChoice;
use crate::failure::{Code, During, Failure, Result};
use crate::manifest::{Contents, Manifest};
use crate::mover::Mover;
use crate::naming::{give_name, one_mount};
use crate::place::{Root, Spot};
use crate::record::{Intent, Record};
use crate::request::{FileHash, Method, TransferRequest};

mod fill;
mod target;

pub(crate) use fill::Copying;
use target::{Made, Target};

/// A record in the journal holds one mark a file; a cache directory has some dozen.
const MOST_FILES: usize = 2000;

/// How the content came to the target.
pub(crate) struct Arrived {
    pub method: Method,
    pub copying: Copying,
    /// Hashes that were taken on the way.
    pub hashes: Vec<FileHash>,
    /// The journal knows the move: it has a source to remove.
    pub recorded: bool,
}

impl Arrived {
    fn without_record(method: Method) -> Arrived {
        Arrived {
            method,
            copying: Copying::default(),
            hashes: Vec::new(),
            recorded: false,
        }
    }
}

/// Both names, held open, and what the source consisted of when it began.
pub(crate) struct Job<'a> {
    mover: &'a Mover,
    request: &'a TransferRequest,
    control: &'a Control,
    source: Spot,
    target: Spot,
    contents: Contents,
}

impl<'a> Job<'a> {
    pub fn prepare(
        mover: &'a Mover,
        request: &'a TransferRequest,
        control: &'a Control,
    ) -> Result<Job<'a>> {
        let source = Spot::open(Root::open(&request.source.root)?, &request.source.name)?;
        let label = source.label();
        let contents = Contents::read(&source.dir, &source.leaf, &label)?
            .ok_or_else(|| Failure::kernel("fstatat", &label, Errno::NOENT))?;
        if contents.files.len() > MOST_FILES {
            let message = format!("more than {MOST_FILES} files: no sector has that many");
            return Err(Failure::new(Code::Invalid, label, message));
        }
        control.expect(contents.bytes());
        let target = Spot::open_or_create(Root::open(&request.target.root)?, &request.target.name)?;
        Ok(Job {
            mover,
            request,
            control,
            source,
            target,
            contents,
        })
    }

    /// Tries the methods, cheapest first.
    pub fn climb(&self) -> Result<Arrived> {
        if self.one_name()? {
            return self.in_place();
        }
        if let Some(arrived) = self.rename()? {
            return Ok(arrived);
        }
        self.by_private_name()
    }

    /// What the target is now. Bytes, bytes on the disk, files.
    pub fn measure(&self) -> Result<(u64, u64, u64)> {
        let label = self.target.label();
        let found =
            Contents::read(&self.target.dir, &self.target.leaf, &label)?.ok_or_else(|| {
                Failure::new(
                    Code::TargetDiffers,
                    &label,
                    "was taken away by someone else",
                )
            })?;
        Ok((found.bytes(), found.allocated(), found.files.len() as u64))
    }

    /// Whether both names are one directory entry, as far as device and inode tell.
    fn one_name(&self) -> Result<bool> {
        let at = |spot: &Spot| files::stat(&spot.dir).during("fstat", || spot.label_of("."));
        let one_nonce = !self.source.root.nonce.is_empty()
            && self.source.root.nonce == self.target.root.nonce
            && self.source.same_kind(&self.target);
        let one_dir = one_nonce || at(&self.source)?.same_inode(&at(&self.target)?);
        Ok(one_dir && self.source.leaf == self.target.leaf)
    }

    fn in_place(&self) -> Result<Arrived> {
        if let Some(only) = self.request.only {
            return Err(self.not_here(only));
        }
        self.contents.sync(&self.source.label())?;
        self.source.sync_names()?;
        self.control.arrived(self.contents.bytes());
        Ok(Arrived::without_record(Method::InPlace))
    }

    fn allows(&self, method: Method) -> bool {
        self.request.only.is_none_or(|only| only == method)
    }

    fn not_here(&self, method: Method) -> Failure {
        let message = format!(
            "a {} from {} does not work here",
            method.as_str(),
            self.source.label()
        );
        Failure::new(Code::NotHere, self.target.label(), message)
    }

    /// None where a rename does not work, is not wanted, or the name is taken.
    fn rename(&self) -> Result<Option<Arrived>> {
        if self.request.keep_source || !self.allows(Method::Rename) {
            return Ok(None);
        }
        let taken = self.target.stat()?.is_some();
        let done = !taken
            && one_mount(
                &self.source.dir,
                &self.target.dir,
                &self.source.temp(&self.request.op),
            )
            && self.rename_durably()?;
        if done {
            self.control.arrived(self.contents.bytes());
            return Ok(Some(Arrived::without_record(Method::Rename)));
        }
        match self.request.only {
            Some(only) if self.target.stat()?.is_none() => Err(self.not_here(only)),
            _ => Ok(None),
        }
    }

    fn rename_durably(&self) -> Result<bool> {
        // The name must not become durable before the data: such a file is empty after a power cut.
        self.contents.sync(&self.source.label())?;
        self.check_source()?;
        self.check_roots()?;
        self.control.check(&self.source.label())?;
        let (source, target) = (&self.source, &self.target);
        match give_name(
            &source.dir,
            &source.leaf,
            &target.dir,
            &target.leaf,
            self.contents.directory,
        ) {
            Err(Errno::XDEV) => return Ok(false),
            other if !other.during("renameat2", || target.label())? => return Ok(false),
            _ => self.control.step(Step::Named),
        }
        if let Err(failure) = target.sync_names().and_then(|()| source.sync_names()) {
            let back = give_name(
                &target.dir,
                &target.leaf,
                &source.dir,
                &source.leaf,
                self.contents.directory,
            );
            return Err(match back {
                Ok(true) => failure.adding("the file has its old name again"),
                _ => failure.adding("the file is complete, under its new name"),
            });
        }
        self.control.step(Step::NameDurable);
        Ok(true)
    }

    /// Clone or copy, by way of the journal and a private name.
    fn by_private_name(&self) -> Result<Arrived> {
        self.mover.append(Record::Intent(self.intent()))?;
        self.control.step(Step::IntentWritten);
        let target = Target::of(self);
        let made = match target.make() {
            Ok(made) => made,
            Err(failure) => return Err(target.abandon(failure)),
        };
        let (manifest, arrived) = match made {
            Made::OneFile => {
                target.forget()?;
                return self.in_place();
            }
            Made::WasThere => (self.contents.manifest(), (Method::Copy, Copying::default())),
            Made::Filled {
                manifest,
                method,
                copying,
            } => (manifest, (method, copying)),
        };
        let hashes = hashes_of(&manifest);
        self.mover.append(Record::TargetDurable {
            op: self.request.op.clone(),
            manifest,
        })?;
        self.control.step(Step::TargetRecorded);
        Ok(Arrived {
            method: arrived.0,
            copying: arrived.1,
            hashes,
            recorded: true,
        })
    }

    fn engine(&self) -> EngineChoice {
        self.mover.options.engine
    }

    fn intent(&self) -> Intent {
        let request = self.request;
        Intent {
            op: request.op.clone(),
            tag: request.tag.clone(),
            source: request.source.clone(),
            source_nonce: self.source.root.nonce.clone(),
            target: request.target.clone(),
            target_nonce: self.target.root.nonce.clone(),
            keep_source: request.keep_source,
            manifest: self.contents.manifest(),
        }
    }

    /// The path of one of the source's files.
    fn source_label(&self, name: &str) -> String {
        let label = self.source.label();
        if self.contents.directory {
            format!("{label}/{name}")
        } else {
            label
        }
    }

    fn check_source(&self) -> Result<()> {
        self.contents
            .check_unchanged(&self.source.dir, &self.source.leaf, &self.source.label())
    }

    /// Both storage paths still lead to the directories we hold.
    fn check_roots(&self) -> Result<()> {
        self.source.root.check()?;
        self.target.root.check()
    }
}

fn hashes_of(manifest: &Manifest) -> Vec<FileHash> {
    let hash_of = |mark: &crate::manifest::FileMark| {
        let digest = mark.digest?;
        Some(FileHash {
            name: if manifest.directory {
                mark.name.clone()
            } else {
                String::new()
            },
            bytes: mark.size,
            digest,
        })
    };
    manifest.files.iter().filter_map(hash_of).collect()
}
