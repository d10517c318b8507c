//! The journal's records and their bytes: a tag, then fields in order, strings and lists with their length.

use std::path::PathBuf;

use crate::hash::Digest;
use crate::manifest::{FileMark, Manifest};
use crate::place::Place;

/// A move that is about to create a private copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Intent {
    pub op: String,
    pub tag: String,
    pub source: Place,
    pub source_nonce: String,
    pub target: Place,
    pub target_nonce: String,
    pub keep_source: bool,
    pub manifest: Manifest,
}

/// One step of a move. Order: Intent, TargetDurable, SourceRemoved, Done; Done may come after any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Intent(Intent),
    TargetDurable { op: String, manifest: Manifest },
    SourceRemoved { op: String },
    Done { op: String },
}

/// Blake3 was the only one once, so its number is that of a flag.
fn kind_of(digest: Option<Digest>) -> u8 {
    match digest {
        None => 0,
        Some(Digest::Blake3(_)) => 1,
        Some(Digest::Xxh3(_)) => 2,
    }
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn text(&mut self, value: &str) {
        self.number(value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
    }

    fn place(&mut self, place: &Place) {
        use std::os::unix::ffi::OsStrExt;
        let root = place.root.as_os_str().as_bytes();
        self.number(root.len() as u64);
        self.0.extend_from_slice(root);
        self.text(&place.name);
    }

    /// Its kind, then 32 bytes, so that all marks of a name have one length.
    fn digest(&mut self, digest: Option<Digest>) {
        let (kind, mut bytes) = (kind_of(digest), [0; 32]);
        match digest {
            None => {}
            Some(Digest::Blake3(own)) => bytes = own,
            Some(Digest::Xxh3(own)) => bytes[..own.len()].copy_from_slice(&own),
        }
        self.0.push(kind);
        self.0.extend_from_slice(&bytes);
    }

    fn manifest(&mut self, manifest: &Manifest) {
        self.0.push(manifest.directory.into());
        self.number(manifest.files.len() as u64);
        for mark in &manifest.files {
            self.text(&mark.name);
            self.number(mark.size);
            self.0.extend_from_slice(&mark.mtime_ns.to_le_bytes());
            self.digest(mark.digest);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.fixed::<1>()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<u64> {
        self.fixed().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn place(&mut self) -> Option<Place> {
        use std::os::unix::ffi::OsStrExt;
        let root = PathBuf::from(std::ffi::OsStr::from_bytes(self.bytes()?));
        Some(Place {
            root,
            name: self.text()?,
        })
    }

    fn mark(&mut self) -> Option<FileMark> {
        let (name, size) = (self.text()?, self.number()?);
        let mtime_ns = i128::from_le_bytes(self.fixed()?);
        Some(FileMark {
            name,
            size,
            mtime_ns,
            digest: self.digest()?,
        })
    }

    fn digest(&mut self) -> Option<Option<Digest>> {
        let ([kind], bytes) = (self.fixed::<1>()?, self.fixed::<32>()?);
        let digest = match kind {
            0 => None,
            1 => Some(Digest::Blake3(bytes)),
            2 => Some(Digest::Xxh3(*bytes.first_chunk()?)),
            _ => return None,
        };
        Some(digest)
    }

    fn manifest(&mut self) -> Option<Manifest> {
        let (directory, count) = (self.flag()?, self.number()?);
        let files = (0..count)
            .map(|_| self.mark())
            .collect::<Option<Vec<_>>>()?;
        Some(Manifest { directory, files })
    }

    fn intent(&mut self) -> Option<Intent> {
        Some(Intent {
            op: self.text()?,
            tag: self.text()?,
            source: self.place()?,
            source_nonce: self.text()?,
            target: self.place()?,
            target_nonce: self.text()?,
            keep_source: self.flag()?,
            manifest: self.manifest()?,
        })
    }
}

impl Record {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Record::Intent(intent) => {
                out.0.push(1);
                out.text(&intent.op);
                out.text(&intent.tag);
                out.place(&intent.source);
                out.text(&intent.source_nonce);
                out.place(&intent.target);
                out.text(&intent.target_nonce);
                out.0.push(intent.keep_source.into());
                out.manifest(&intent.manifest);
            }
            Record::TargetDurable { op, manifest } => {
                out.0.push(2);
                out.text(op);
                out.manifest(manifest);
            }
            Record::SourceRemoved { op } => {
                out.0.push(3);
                out.text(op);
            }
            Record::Done { op } => {
                out.0.push(4);
                out.text(op);
            }
        }
        out.0
    }

    /// None for bytes that are not exactly one record.
    pub fn decode(bytes: &[u8]) -> Option<Record> {
        let mut from = Reader(bytes);
        let record = match from.fixed::<1>()? {
            [1] => Record::Intent(from.intent()?),
            [2] => Record::TargetDurable {
                op: from.text()?,
                manifest: from.manifest()?,
            },
            [3] => Record::SourceRemoved { op: from.text()? },
            [4] => Record::Done { op: from.text()? },
            _ => return None,
        };
        from.0.is_empty().then_some(record)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub fn manifests() -> impl Strategy<Value = Manifest> {
        let digest = prop::option::of(prop_oneof![
            any::<[u8; 32]>().prop_map(Digest::Blake3),
            any::<[u8; 16]>().prop_map(Digest::Xxh3),
        ]);
        let mark = ("[a-z0-9.-]{0,20}", any::<u64>(), any::<i128>(), digest).prop_map(
            |(name, size, mtime_ns, digest)| FileMark {
                name,
                size,
                mtime_ns,
                digest,
            },
        );
        (any::<bool>(), prop::collection::vec(mark, 0..6))
            .prop_map(|(directory, files)| Manifest { directory, files })
    }

    pub fn records() -> impl Strategy<Value = Record> {
        let text = "[a-z0-9/ä-]{0,24}";
        let place = || {
            (text, text).prop_map(|(root, name)| Place {
                root: root.into(),
                name,
            })
        };
        let intent = (
            text,
            text,
            place(),
            text,
            place(),
            text,
            any::<bool>(),
            manifests(),
        )
            .prop_map(
                |(op, tag, source, source_nonce, target, target_nonce, keep_source, manifest)| {
                    Record::Intent(Intent {
                        op,
                        tag,
                        source,
                        source_nonce,
                        target,
                        target_nonce,
                        keep_source,
                        manifest,
                    })
                },
            );
        prop_oneof![
            intent,
            (text, manifests()).prop_map(|(op, manifest)| Record::TargetDurable { op, manifest }),
            text.prop_map(|op| Record::SourceRemoved { op }),
            text.prop_map(|op| Record::Done { op }),
        ]
    }

    proptest! {
        #[test]
        fn every_record_reads_back_as_it_was_written(record in records()) {
            prop_assert_eq!(Record::decode(&record.encode()), Some(record));
        }

        #[test]
        fn no_bytes_make_the_reader_fail(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Record::decode(&bytes);
        }

        #[test]
        fn a_cut_record_is_none(record in records(), cut in any::<prop::sample::Index>()) {
            let bytes = record.encode();
            prop_assert_eq!(Record::decode(&bytes[..cut.index(bytes.len())]), None);
        }
    }
}
