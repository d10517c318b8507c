//! Pieces: their commitments, and their place in the unsealed file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use filecoin_proofs_api::seal::{compute_comm_d, write_and_preprocess};
use filecoin_proofs_api::{PieceInfo, RegisteredSealProof, UnpaddedBytesAmount};
use serde::Deserialize;
use serde_json::{Value, json};
use unsealed::{padded, unpadded};

use crate::commitment;
use crate::failure::{Failure, NamesFile};
use crate::registry::{Hex32, Sector, hex32, sector_bytes};
use crate::unsealed_file::UnsealedFile;

/// A piece as a seal knows it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Piece {
    commitment: Hex32,
    padded_bytes: u64,
}

/// What the proofs crates take.
pub fn piece_infos(pieces: &[Piece]) -> Result<Vec<PieceInfo>, Failure> {
    let info = |piece: &Piece| {
        let size = UnpaddedBytesAmount(unpadded(piece.padded_bytes));
        PieceInfo::new(piece.commitment.0, size)
    };
    let infos: Result<Vec<_>, _> = pieces.iter().map(info).collect();
    infos.map_err(|error| Failure::bad_request(format!("{error:#}")))
}

/// Where a piece's bytes come from; what lacks to the piece's size is zeroes.
#[derive(Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Source {
    File { file: PathBuf, data_bytes: u64 },
    Zeroes,
}

/// Writes a piece behind those that the unsealed file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AddPiece {
    sector: Sector,
    unsealed: PathBuf,
    /// Unpadded.
    existing_pieces: Vec<u64>,
    /// Unpadded.
    piece_bytes: u64,
    source: Source,
}

impl AddPiece {
    pub fn run(self) -> Result<Value, Failure> {
        let size = padded_piece(self.piece_bytes)?;
        let offset = self.offset(size)?;
        let mut target = if self.existing_pieces.is_empty() {
            UnsealedFile::create(&self.unsealed, self.sector.bytes())?
        } else {
            UnsealedFile::open(&self.unsealed, self.sector.bytes())?
        };
        target.require(&(0..offset))?;
        let range = offset..offset + size;
        let commitment = match self.source {
            Source::Zeroes => {
                target.clear(&range)?;
                commitment::of_zeroes(size)
            }
            source => {
                let mut file = target.file();
                file.seek(SeekFrom::Start(offset))?;
                write(self.sector.proof, &source, file, self.piece_bytes)?
            }
        };
        target.allocate(range)?;
        Ok(json!({ "commitment": hex32(commitment), "paddedBytes": size }))
    }

    /// Padded bytes before the piece. Pieces lie at multiples of their own size; whoever calls puts fillers between.
    fn offset(&self, size: u64) -> Result<u64, Failure> {
        let mut offset = 0;
        for piece in &self.existing_pieces {
            offset += padded_piece(*piece)?;
        }
        if offset.is_multiple_of(size) && offset + size <= self.sector.bytes() {
            return Ok(offset);
        }
        Err(Failure::bad_request(format!(
            "a piece of {size} padded bytes cannot lie at offset {offset} of a sector of {} bytes",
            self.sector.bytes()
        )))
    }
}

/// The commitment alone; nothing is kept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PieceCommitment {
    proof: RegisteredSealProof,
    piece_bytes: u64,
    source: Source,
}

impl PieceCommitment {
    pub fn run(self) -> Result<Value, Failure> {
        let size = padded_piece(self.piece_bytes)?;
        if size > sector_bytes(self.proof) {
            return Err(Failure::bad_request(format!(
                "a piece of {size} padded bytes fits no such sector"
            )));
        }
        let commitment = match self.source {
            Source::Zeroes => commitment::of_zeroes(size),
            // Writing computes it on the way; the crates' own function would put twice the piece into TMPDIR.
            source => write(self.proof, &source, Discard, self.piece_bytes)?,
        };
        Ok(json!({ "commitment": hex32(commitment), "paddedBytes": size }))
    }
}

/// comm_d of a whole sector.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DataCommitment {
    proof: RegisteredSealProof,
    pieces: Vec<Piece>,
}

impl DataCommitment {
    pub fn run(self) -> Result<Value, Failure> {
        let comm_d = compute_comm_d(self.proof, &piece_infos(&self.pieces)?)
            .map_err(|error| Failure::bad_request(format!("{error:#}")))?;
        Ok(json!({ "commD": hex32(comm_d) }))
    }
}

/// Padded size of a piece of `bytes` unpadded ones.
fn padded_piece(bytes: u64) -> Result<u64, Failure> {
    if bytes > 0 && bytes.is_multiple_of(127) && padded(bytes).is_power_of_two() {
        return Ok(padded(bytes));
    }
    Err(Failure::bad_request(format!(
        "{bytes} is no unpadded piece size: it must be 127 times a power of two"
    )))
}

fn write<W: Read + Write + Seek>(
    proof: RegisteredSealProof,
    source: &Source,
    target: W,
    piece_bytes: u64,
) -> Result<[u8; 32], Failure> {
    let size = UnpaddedBytesAmount(piece_bytes);
    let (piece, _) = write_and_preprocess(proof, reader(source, piece_bytes)?, target, size)?;
    Ok(piece.commitment)
}

/// Exactly `piece_bytes` bytes. The crates fill a source that ends early up with zeroes and say nothing, so this does not.
fn reader(source: &Source, piece_bytes: u64) -> Result<Box<dyn Read>, Failure> {
    let Source::File { file, data_bytes } = source else {
        return Ok(Box::new(io::repeat(0).take(piece_bytes)));
    };
    if *data_bytes > piece_bytes {
        return Err(Failure::bad_request(format!(
            "{data_bytes} bytes of data do not fit a piece of {piece_bytes}"
        )));
    }
    let opened = File::open(file).of("the piece's data in", file)?;
    let metadata = opened.metadata()?;
    if metadata.is_file() && metadata.len() < *data_bytes {
        return Err(Failure::new(
            "source-too-short",
            format!(
                "{} has {} bytes, the piece's data {data_bytes}: it was cut short",
                file.display(),
                metadata.len()
            ),
        ));
    }
    let data = Exactly {
        file: opened,
        left: *data_bytes,
    };
    Ok(Box::new(
        data.chain(io::repeat(0).take(piece_bytes - data_bytes)),
    ))
}

/// Reads so many bytes, and fails when there are fewer.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.file.read(&mut buffer[..wanted])?;
        if read == 0 && wanted > 0 {
            let text = format!("the piece's data ends {} bytes early", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Takes what is written to nowhere.
struct Discard;

impl Read for Discard {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Discard {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Discard {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Ok(0)
    }
}
