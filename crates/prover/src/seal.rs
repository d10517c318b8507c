//! The phases of a seal.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use filecoin_proofs_api::{ApiFeature, seal};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cache_dir;
use crate::failure::{Failure, NamesFile};
use crate::parameters::{Circuit, Use, require};
use crate::pieces::{Piece, piece_infos};
use crate::registry::{Hex32, Sector, hex32};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PreCommit1 {
    sector: Sector,
    unsealed: PathBuf,
    sealed: PathBuf,
    cache: PathBuf,
    ticket: Hex32,
    pieces: Vec<Piece>,
}

impl PreCommit1 {
    pub fn run(self) -> Result<Value, Failure> {
        let source = File::open(&self.unsealed).of("the unsealed file", &self.unsealed)?;
        // Refuses a file that is cut short, which the crates would fill up with zeroes.
        unsealed::read(&source, self.sector.bytes())?;
        cache_dir::prepare_for_pc1(&self.cache)?;
        let mut sealed = OpenOptions::new();
        let sealed = sealed
            .write(true)
            .create(true)
            .truncate(true)
            .open(&self.sealed);
        drop(sealed.of("the sealed file", &self.sealed)?);
        let output = seal::seal_pre_commit_phase1(
            self.sector.proof,
            &self.cache,
            &self.unsealed,
            &self.sealed,
            self.sector.prover_id(),
            self.sector.id(),
            self.ticket.0,
            &piece_infos(&self.pieces)?,
        )?;
        let text = serde_json::to_string(&output).map_err(anyhow::Error::from)?;
        Ok(json!({ "phase1Output": text }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PreCommit2 {
    sector: Sector,
    sealed: PathBuf,
    cache: PathBuf,
    /// PC1's JSON, as text.
    phase1_output: String,
}

impl PreCommit2 {
    pub fn run(self) -> Result<Value, Failure> {
        let phase1: seal::SealPreCommitPhase1Output = serde_json::from_str(&self.phase1_output)
            .map_err(|error| Failure::bad_request(format!("this is no output of PC1: {error}")))?;
        if phase1.registered_proof != self.sector.proof {
            return Err(Failure::bad_request(format!(
                "PC1's output is of a {:?} sector, this one is {:?}",
                phase1.registered_proof, self.sector.proof
            )));
        }
        cache_dir::require_untouched_by_pc2(&self.cache, &self.sealed, self.sector.bytes())?;
        let output = seal::seal_pre_commit_phase2(phase1, &self.cache, &self.sealed)?;
        Ok(json!({ "commD": hex32(output.comm_d), "commR": hex32(output.comm_r) }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Commit1 {
    sector: Sector,
    sealed: PathBuf,
    cache: PathBuf,
    comm_d: Hex32,
    comm_r: Hex32,
    ticket: Hex32,
    seed: Hex32,
    pieces: Vec<Piece>,
    output: PathBuf,
}

impl Commit1 {
    pub fn run(self) -> Result<Value, Failure> {
        if self.seed.0 == [0; 32] {
            // C1 takes it; C2 finds out an hour later.
            return Err(Failure::bad_request("the seed is all zeroes"));
        }
        let file = File::create_new(&self.output).of("C1's output", &self.output)?;
        self.make_synthetic_proofs()?;
        let output = seal::seal_commit_phase1(
            &self.cache,
            &self.sealed,
            self.sector.prover_id(),
            self.sector.id(),
            self.ticket.0,
            self.seed.0,
            self.phase2(),
            &piece_infos(&self.pieces)?,
        )?;
        let mut file = BufWriter::new(file);
        serde_json::to_writer(&mut file, &output).map_err(std::io::Error::from)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        Ok(json!({ "bytes": file.get_ref().metadata()?.len() }))
    }

    /// A synthetic seal draws its challenges from proofs made before the seed is known; they need the layers.
    fn make_synthetic_proofs(&self) -> Result<(), Failure> {
        let synthetic = self
            .sector
            .proof
            .feature_enabled(ApiFeature::SyntheticPoRep);
        if !synthetic || !cache_dir::has_layers(&self.cache) {
            return Ok(());
        }
        cache_dir::remove_synthetic_proofs(&self.cache)?;
        Ok(seal::generate_synth_proofs(
            &self.cache,
            &self.sealed,
            self.sector.prover_id(),
            self.sector.id(),
            self.ticket.0,
            self.phase2(),
            &piece_infos(&self.pieces)?,
        )?)
    }

    fn phase2(&self) -> seal::SealPreCommitPhase2Output {
        seal::SealPreCommitPhase2Output {
            registered_proof: self.sector.proof,
            comm_r: self.comm_r.0,
            comm_d: self.comm_d.0,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Commit2 {
    sector: Sector,
    input: PathBuf,
}

impl Commit2 {
    pub fn run(self) -> Result<Value, Failure> {
        require(Circuit::Porep, self.sector.proof, Use::Prove)?;
        let file = File::open(&self.input).of("C1's output", &self.input)?;
        let phase1: seal::SealCommitPhase1Output = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| self.unreadable(error))?;
        let output = seal::seal_commit_phase2(phase1, self.sector.prover_id(), self.sector.id())?;
        Ok(json!({ "proof": STANDARD.encode(output.proof) }))
    }

    /// A disk that fails is no fault of the request.
    fn unreadable(&self, error: serde_json::Error) -> Failure {
        if error.is_io() {
            let failed: Result<(), _> = Err(std::io::Error::from(error));
            return failed.of("C1's output", &self.input).unwrap_err();
        }
        let input = self.input.display();
        Failure::bad_request(format!("{input} is no output of C1: {error}"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VerifySeal {
    sector: Sector,
    comm_d: Hex32,
    comm_r: Hex32,
    ticket: Hex32,
    seed: Hex32,
    /// Base64.
    proof: String,
}

impl VerifySeal {
    pub fn run(self) -> Result<Value, Failure> {
        require(Circuit::Porep, self.sector.proof, Use::Verify)?;
        let valid = seal::verify_seal(
            self.sector.proof,
            self.comm_r.0,
            self.comm_d.0,
            self.sector.prover_id(),
            self.sector.id(),
            self.ticket.0,
            self.seed.0,
            &bytes_of_base64(&self.proof)?,
        )?;
        Ok(json!({ "valid": valid }))
    }
}

/// Bytes in a request.
pub fn bytes_of_base64(text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD
        .decode(text)
        .map_err(|error| Failure::bad_request(format!("a proof is no base64: {error}")))
}

/// Leaves what proving needs: p_aux, t_aux, tree-r-last.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Finalize {
    sector: Sector,
    cache: PathBuf,
}

impl Finalize {
    pub fn run(self) -> Result<Value, Failure> {
        // Without it PC2 has not ended: layers and trees are then all there is of the sector.
        cache_dir::require_p_aux(&self.cache)?;
        seal::clear_cache(&self.cache)?;
        if self
            .sector
            .proof
            .feature_enabled(ApiFeature::SyntheticPoRep)
        {
            cache_dir::remove_synthetic_proofs(&self.cache)?;
        }
        Ok(json!({}))
    }
}
