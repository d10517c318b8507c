//! A cache directory as it travels: a flat tar archive of known names.
//!
//! Lotus never finishes its archives: the end blocks and the last file's padding are missing. So an
//! archive may end between two files, but only where the framing below it has proven its own end. A
//! lotus server that fails between two files looks exactly like that: whether the files are all
//! there is for the caller to decide, who knows which ones the sector must have.

use super::body::Stream;
use super::failure::{Code, Failure, Result};
use super::tar_header::{BLOCK, Header, Kind, Pax};
use crate::names::cache_file_limit;

/// Largest PAX header: it holds a size, times and an owner.
const MAX_PAX: u64 = 16 << 10;
/// Most bytes behind the end blocks: GNU tar fills its last record up with zeros.
const MAX_REST: u64 = 1 << 20;

/// A file in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub name: String,
    pub size: u64,
}

/// Reads an archive from front to back, letting nothing through that no cache directory holds.
pub(crate) struct Archive<'a, S> {
    stream: &'a mut S,
    seen: Vec<String>,
    /// Bytes of the present file still to come, and of the padding behind it.
    left: u64,
    padding: usize,
}

impl<'a, S: Stream> Archive<'a, S> {
    pub(crate) fn new(stream: &'a mut S) -> Self {
        Self {
            stream,
            seen: Vec::new(),
            left: 0,
            padding: 0,
        }
    }

    /// The next file; its bytes come from `read`. None when the archive has ended.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>> {
        debug_assert_eq!(self.left, 0, "the file before was read to its end");
        self.skip_padding()?;
        let mut pax = None;
        loop {
            let Some(header) = self.next_header()? else {
                return match (pax, self.seen.is_empty()) {
                    (Some(_), _) => Err(damaged("it ends behind a PAX header")),
                    (None, true) => Err(damaged("it holds no file")),
                    (None, false) => Ok(None),
                };
            };
            match header.kind {
                Kind::Pax if pax.is_none() => pax = Some(self.read_pax(header.size)?),
                Kind::Pax => return Err(damaged("a PAX header follows another")),
                Kind::File => return self.accept(header, pax.unwrap_or_default()).map(Some),
                Kind::Other(letter) => {
                    let why = format!(
                        "which is no regular file (type '{}')",
                        char::from(letter).escape_debug()
                    );
                    return Err(Failure::refused(&header.name, &why));
                }
            }
        }
    }

    fn accept(&mut self, header: Header, pax: Pax) -> Result<Entry> {
        let name = pax.name.unwrap_or(header.name);
        let size = pax.size.unwrap_or(header.size);
        let Some(limit) = cache_file_limit(&name) else {
            return Err(Failure::refused(&name, "which no cache directory has"));
        };
        if size > limit {
            return Err(Failure::refused(
                &name,
                &format!("which has {size} bytes; {limit} is the most it may have"),
            ));
        }
        if self.seen.contains(&name) {
            return Err(Failure::refused(&name, "twice"));
        }
        self.seen.push(name.clone());
        self.left = size;
        self.padding = padding(size);
        Ok(Entry { name, size })
    }

    /// A header, or None at the end: two blocks of zeros, or the end of the stream before a header.
    fn next_header(&mut self) -> Result<Option<Header>> {
        let mut block = [0u8; BLOCK];
        match self.stream.fill(&mut block)? {
            0 => return Ok(None),
            BLOCK => {}
            _ => return Err(damaged("it ends within a header")),
        }
        if block != [0; BLOCK] {
            return Header::parse(&block).map(Some).map_err(damaged);
        }
        if self.stream.fill(&mut block)? != BLOCK || block != [0; BLOCK] {
            return Err(damaged("its end mark is not whole"));
        }
        self.skip_rest()?;
        Ok(None)
    }

    fn read_pax(&mut self, size: u64) -> Result<Pax> {
        if size > MAX_PAX {
            return Err(damaged("a PAX header is too long"));
        }
        let mut bytes = vec![0u8; size as usize + padding(size)];
        if self.stream.fill(&mut bytes)? != bytes.len() {
            return Err(damaged("it ends within a PAX header"));
        }
        Pax::parse(&bytes[..size as usize]).map_err(damaged)
    }

    fn skip_padding(&mut self) -> Result<()> {
        let mut block = [0u8; BLOCK];
        let wanted = std::mem::take(&mut self.padding);
        match self.stream.fill(&mut block[..wanted])? {
            0 => Ok(()),
            read if read == wanted => Ok(()),
            _ => Err(damaged("it ends within the padding of a file")),
        }
    }

    /// Reads what follows the end mark: only then has the framing proven its end.
    fn skip_rest(&mut self) -> Result<()> {
        let mut buffer = [0u8; 8192];
        let mut skipped = 0;
        loop {
            match self.stream.read(&mut buffer)? {
                0 => return Ok(()),
                read => skipped += read as u64,
            }
            if skipped > MAX_REST {
                return Err(damaged("it goes on behind its end mark"));
            }
        }
    }
}

/// The bytes of the present file.
impl<S: Stream> Stream for Archive<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let wanted = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        match self.stream.read(&mut buffer[..wanted])? {
            0 => Err(damaged("it ends within a file")),
            read => {
                self.left -= read as u64;
                Ok(read)
            }
        }
    }
}

fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

fn damaged(why: &str) -> Failure {
    Failure::new(
        Code::Incomplete,
        format!("the archive is not complete: {why}"),
    )
}
