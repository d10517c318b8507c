//! The journal of moves: append only, each record durable before the next step.
//!
//! Only moves that made a copy are in it; what the disk itself tells (a rename) needs no record.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use sys::{Errno, files};

use crate::failure::{Code, During, Failure, Result};
use crate::frames::{MAGIC, frame, scan};
use crate::manifest::Manifest;
use crate::place::sync_directory;
use crate::record::{Intent, Record};

/// A journal this long is written anew with its open moves only.
const COMPACT_AT: u64 = 256 * 1024;

/// A move that is not done. `durable` holds what arrived, from "target durable" on.
#[derive(Clone, Debug)]
pub(crate) struct OpenMove {
    pub intent: Intent,
    pub durable: Option<Manifest>,
    pub source_removed: bool,
}

/// The file, its lock, and what its records add up to.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: OwnedFd,
    bytes: u64,
    /// In the order of their intents.
    pub open: Vec<OpenMove>,
    /// After a failed write or fsync nobody knows what the disk holds: nothing more is written.
    broken: bool,
}

fn journal_failure(failure: Failure) -> Failure {
    failure.recoded(Code::Journal)
}

/// What is wrong with a record at this place, if anything.
fn misfit(open: &[OpenMove], record: &Record) -> Option<&'static str> {
    let known = |op: &str| open.iter().any(|entry| entry.intent.op == op);
    match record {
        Record::Intent(intent) if known(&intent.op) => Some("an operation is begun twice"),
        Record::TargetDurable { op, .. } if !known(op) => {
            Some("an unknown operation has a durable target")
        }
        Record::SourceRemoved { op } if !known(op) => {
            Some("an unknown operation has removed its source")
        }
        Record::Done { op } if !known(op) => Some("an unknown operation is done"),
        _ => None,
    }
}

/// Adds up one record that fits.
fn apply(open: &mut Vec<OpenMove>, record: Record) {
    let op = match &record {
        Record::Intent(intent) => intent.op.clone(),
        Record::TargetDurable { op, .. } | Record::SourceRemoved { op } | Record::Done { op } => {
            op.clone()
        }
    };
    let entry = open.iter_mut().find(|entry| entry.intent.op == op);
    match (record, entry) {
        (Record::Intent(intent), _) => open.push(OpenMove {
            intent,
            durable: None,
            source_removed: false,
        }),
        (Record::TargetDurable { manifest, .. }, Some(entry)) => entry.durable = Some(manifest),
        (Record::SourceRemoved { .. }, Some(entry)) => entry.source_removed = true,
        (Record::Done { .. }, _) => open.retain(|entry| entry.intent.op != op),
        _ => {}
    }
}

impl Journal {
    /// Opens, creates or repairs (a torn last record is dropped) a journal, and locks it.
    pub fn open(path: &Path) -> Result<Journal> {
        Journal::open_files(path).map_err(journal_failure)
    }

    fn open_files(path: &Path) -> Result<Journal> {
        let label = || path.display().to_string();
        let file = lock_current(path)?;
        let bytes = read_all(&file, &label())?;
        let mut journal = Journal {
            path: path.to_owned(),
            file,
            bytes: 0,
            open: Vec::new(),
            broken: false,
        };
        if bytes.len() < MAGIC.len() && MAGIC.starts_with(&bytes) {
            journal.start_anew()?;
            return Ok(journal);
        }
        if !bytes.starts_with(MAGIC) {
            return Err(Failure::new(
                Code::Journal,
                label(),
                "not a journal of moves, or of another version",
            ));
        }
        let (payloads, end) =
            scan(&bytes).map_err(|at| damaged(&label(), &format!("a bad record at byte {at}")))?;
        for payload in payloads {
            let record =
                Record::decode(payload).ok_or_else(|| damaged(&label(), "an unknown record"))?;
            if let Some(why) = misfit(&journal.open, &record) {
                return Err(damaged(&label(), why));
            }
            apply(&mut journal.open, record);
        }
        journal.bytes = end as u64;
        if end < bytes.len() {
            files::set_length(&journal.file, journal.bytes).during("ftruncate", label)?;
            files::sync(&journal.file).during("fsync", label)?;
        }
        journal.compact_if_long()?;
        Ok(journal)
    }

    fn start_anew(&mut self) -> Result<()> {
        let label = || self.path.display().to_string();
        files::set_length(&self.file, 0).during("ftruncate", label)?;
        write_all(&self.file, MAGIC, &label())?;
        files::sync(&self.file).during("fsync", label)?;
        sync_parent(&self.path)?;
        self.bytes = MAGIC.len() as u64;
        Ok(())
    }

    /// Adds a record and makes it durable.
    pub fn append(&mut self, record: Record) -> Result<()> {
        if self.broken {
            let message = "could not be written before; restart after the disk was repaired";
            return Err(Failure::new(
                Code::Journal,
                self.path.display().to_string(),
                message,
            ));
        }
        if let Some(why) = misfit(&self.open, &record) {
            // Written, it would count as damage at the next start.
            return Err(Failure::new(
                Code::WrongState,
                self.path.display().to_string(),
                why,
            ));
        }
        let bytes = frame(&record.encode());
        self.broken = true;
        let label = self.path.display().to_string();
        write_all(&self.file, &bytes, &label).map_err(journal_failure)?;
        files::sync_data(&self.file)
            .during("fdatasync", || label)
            .map_err(journal_failure)?;
        self.bytes += bytes.len() as u64;
        apply(&mut self.open, record);
        self.compact_if_long().map_err(journal_failure)?;
        self.broken = false;
        Ok(())
    }

    pub fn find(&self, op: &str) -> Option<&OpenMove> {
        self.open.iter().find(|entry| entry.intent.op == op)
    }

    fn live_records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for entry in &self.open {
            let op = entry.intent.op.clone();
            records.push(Record::Intent(entry.intent.clone()));
            if let Some(manifest) = entry.durable.clone() {
                records.push(Record::TargetDurable {
                    op: op.clone(),
                    manifest,
                });
            }
            if entry.source_removed {
                records.push(Record::SourceRemoved { op });
            }
        }
        records
    }

    fn compact_if_long(&mut self) -> Result<()> {
        if self.bytes < COMPACT_AT {
            return Ok(());
        }
        let frames = self
            .live_records()
            .iter()
            .map(|record| frame(&record.encode()))
            .collect::<Vec<_>>();
        let all = [&MAGIC[..], &frames.concat()].concat();
        if all.len() as u64 * 2 > self.bytes {
            return Ok(());
        }
        self.replace_file(&all)
    }

    /// Writes a new file beside the old one, locks it, and renames it over the old.
    fn replace_file(&mut self, all: &[u8]) -> Result<()> {
        let path = self.path.with_extension("journal.new");
        let label = || path.display().to_string();
        let file = files::open_append(&path).during("open", label)?;
        files::lock(&file).during("flock", label)?;
        files::set_length(&file, 0).during("ftruncate", label)?;
        write_all(&file, all, &label())?;
        files::sync(&file).during("fsync", label)?;
        std::fs::rename(&path, &self.path).map_err(|error| kernel_of(&error, "rename", label()))?;
        sync_parent(&self.path)?;
        self.file = file;
        self.bytes = all.len() as u64;
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // A child being started holds a copy of the descriptor until its exec: closing ours is not enough.
        let _ = files::unlock(&self.file);
    }
}

fn damaged(label: &str, what: &str) -> Failure {
    let message = format!(
        "the journal is damaged ({what}); no move is begun or undone. Keep the file, compare source and target of \
         its open moves by hand, then remove it"
    );
    Failure::new(Code::Journal, label, message)
}

fn kernel_of(error: &std::io::Error, syscall: &'static str, label: String) -> Failure {
    let errno = Errno::from_io_error(error).unwrap_or(Errno::IO);
    Failure::kernel(syscall, label, errno)
}

/// Opens and locks the file that has the name when the lock is held: a compaction may just have replaced it.
fn lock_current(path: &Path) -> Result<OwnedFd> {
    let label = || path.display().to_string();
    loop {
        let file = files::open_append(path).during("open", label)?;
        match files::lock(&file) {
            Err(Errno::WOULDBLOCK) => {
                let message = "another process moves files with this journal; one daemon per repo";
                return Err(Failure::new(Code::Journal, label(), message));
            }
            other => other.during("flock", label)?,
        }
        let named = files::open_append(path)
            .and_then(files::stat)
            .during("open", label)?;
        if files::stat(&file)
            .during("fstat", label)?
            .same_inode(&named)
        {
            return Ok(file);
        }
    }
}

fn read_all(file: &OwnedFd, label: &str) -> Result<Vec<u8>> {
    let size = files::stat(file).during("fstat", || label.to_owned())?.size;
    let mut bytes = vec![0u8; size as usize];
    let whole =
        crate::content::read_full(file, &mut bytes, 0).during("pread", || label.to_owned())?;
    if whole {
        Ok(bytes)
    } else {
        Err(Failure::new(
            Code::Journal,
            label,
            "became shorter while it was read",
        ))
    }
}

fn write_all(file: &OwnedFd, bytes: &[u8], label: &str) -> Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = files::write(file, rest).during("write", || label.to_owned())?;
        if written == 0 {
            return Err(Failure::kernel("write", label, Errno::IO));
        }
        rest = &rest[written..];
    }
    Ok(())
}

fn sync_parent(path: &Path) -> Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let label = || parent.display().to_string();
    let dir = files::open_root(parent).during("open", label)?;
    sync_directory(&dir).during("fsync", label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_out_of_order_is_refused_before_it_is_written() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("moves.journal");
        let mut journal = Journal::open(&path).unwrap();
        let op = || "op-1".to_owned();
        for record in [
            Record::SourceRemoved { op: op() },
            Record::Done { op: op() },
        ] {
            assert_eq!(journal.append(record).unwrap_err().code, Code::WrongState);
        }
        drop(journal);
        assert_eq!(std::fs::read(&path).unwrap(), MAGIC);
        assert!(Journal::open(&path).unwrap().open.is_empty());
    }
}
