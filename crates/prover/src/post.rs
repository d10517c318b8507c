//! Proofs of spacetime.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use filecoin_proofs_api::{
    PrivateReplicaInfo, PublicReplicaInfo, RegisteredSealProof, SectorId, post,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cache_dir::require_p_aux;
use crate::failure::{Failure, NamesFile};
use crate::parameters::{Circuit, Use, require};
use crate::registry::{Hex32, PostKind, Sector, post_proof, prover_id};
use crate::seal::bytes_of_base64;

/// Which leaves of which sectors are challenged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PostChallenges {
    kind: PostKind,
    proof: RegisteredSealProof,
    miner: u64,
    randomness: Hex32,
    sectors: Vec<u64>,
}

impl PostChallenges {
    pub fn run(self) -> Result<Value, Failure> {
        let sectors: Vec<SectorId> = self.sectors.into_iter().map(SectorId::from).collect();
        let challenges = post::generate_fallback_sector_challenges(
            post_proof(self.kind, self.proof)?,
            &self.randomness.0,
            &sectors,
            prover_id(self.miner),
        )?;
        let challenges: Vec<_> = challenges
            .into_iter()
            .map(|(sector, leaves)| json!({ "sector": u64::from(sector), "challenges": leaves }))
            .collect();
        Ok(json!({ "challenges": challenges }))
    }
}

/// One sector's part, read beside its files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VanillaPost {
    kind: PostKind,
    sector: Sector,
    sealed: PathBuf,
    cache: PathBuf,
    comm_r: Hex32,
    challenges: Vec<u64>,
}

impl VanillaPost {
    pub fn run(self) -> Result<Value, Failure> {
        let proof = post_proof(self.kind, self.sector.proof)?;
        require_p_aux(&self.cache)?;
        let replica = PrivateReplicaInfo::new(proof, self.comm_r.0, self.cache, self.sealed);
        let vanilla = post::generate_single_vanilla_proof(
            proof,
            self.sector.id(),
            &replica,
            &self.challenges,
        )?;
        Ok(json!({ "vanillaProof": STANDARD.encode(vanilla) }))
    }
}

/// The SNARK over the vanilla proofs of many sectors.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProvePost {
    kind: PostKind,
    proof: RegisteredSealProof,
    miner: u64,
    randomness: Hex32,
    /// All vanilla proofs, one behind the other: a full partition is tens of MB, too long for a line.
    vanilla_proofs: PathBuf,
    /// Bytes of each.
    lengths: Vec<usize>,
}

impl ProvePost {
    pub fn run(self) -> Result<Value, Failure> {
        require(circuit(self.kind), self.proof, Use::Prove)?;
        let proof = post_proof(self.kind, self.proof)?;
        let vanilla = self.read()?;
        let (randomness, miner) = (&self.randomness.0, prover_id(self.miner));
        let proofs = match self.kind {
            PostKind::Window => {
                post::generate_window_post_with_vanilla(proof, randomness, miner, &vanilla)
            }
            PostKind::Winning => {
                post::generate_winning_post_with_vanilla(proof, randomness, miner, &vanilla)
            }
        }?;
        match proofs.as_slice() {
            [(_, proof)] => Ok(json!({ "proof": STANDARD.encode(proof) })),
            other => Err(Failure::bad_sector(format!(
                "{} proofs instead of one",
                other.len()
            ))),
        }
    }

    fn read(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let what = "the vanilla proofs in";
        let mut file = File::open(&self.vanilla_proofs).of(what, &self.vanilla_proofs)?;
        let mut proof = |length: &usize| {
            let mut bytes = vec![0; *length];
            file.read_exact(&mut bytes).map(|()| bytes)
        };
        let proofs: Result<Vec<_>, _> = self.lengths.iter().map(&mut proof).collect();
        proofs.of(what, &self.vanilla_proofs)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VerifyPost {
    kind: PostKind,
    proof: RegisteredSealProof,
    miner: u64,
    randomness: Hex32,
    /// Base64.
    post: String,
    sectors: Vec<ProvenSector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ProvenSector {
    number: u64,
    comm_r: Hex32,
}

impl VerifyPost {
    pub fn run(self) -> Result<Value, Failure> {
        require(circuit(self.kind), self.proof, Use::Verify)?;
        let proof = post_proof(self.kind, self.proof)?;
        let replica = |sector: &ProvenSector| {
            let info = PublicReplicaInfo::new(proof, sector.comm_r.0);
            (SectorId::from(sector.number), info)
        };
        let replicas: BTreeMap<_, _> = self.sectors.iter().map(replica).collect();
        let bytes = bytes_of_base64(&self.post)?;
        let (randomness, miner) = (&self.randomness.0, prover_id(self.miner));
        let valid = match self.kind {
            PostKind::Window => {
                post::verify_window_post(randomness, &[(proof, &bytes)], &replicas, miner)
            }
            PostKind::Winning => post::verify_winning_post(randomness, &bytes, &replicas, miner),
        }?;
        Ok(json!({ "valid": valid }))
    }
}

fn circuit(kind: PostKind) -> Circuit {
    match kind {
        PostKind::Window => Circuit::WindowPost,
        PostKind::Winning => Circuit::WinningPost,
    }
}
