//! Which Groth16 parameters a circuit needs, and whether they are there and whole.

use std::path::PathBuf;

use filecoin_proofs_api::RegisteredSealProof;
use sealyard_prover::parameter_file::{State, belong_together, parameters, verifying_key};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::{Failure, NamesFile};
use crate::registry::{PostKind, post_proof};

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Circuit {
    Porep,
    WindowPost,
    WinningPost,
}

/// What parameters are wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Needs the parameters and the key: without the key the crates would write one beside the parameters, and an
    /// operator's directory is only read.
    Prove,
    /// Needs the key alone.
    Verify,
}

/// Asks what is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Parameters {
    circuit: Circuit,
    proof: RegisteredSealProof,
}

impl Parameters {
    pub fn run(self) -> Result<Value, Failure> {
        let [parameters, key] = files(self.circuit, self.proof)?;
        let file =
            |(path, state): &(PathBuf, State)| json!({ "file": path, "state": state.word() });
        let whole = |found: &(PathBuf, State)| found.1 == State::Whole;
        Ok(json!({
            "parameters": file(&parameters),
            "verifyingKey": file(&key),
            "canProve": whole(&parameters) && whole(&key),
            "canVerify": whole(&key),
        }))
    }
}

/// Fails unless the parameters for this are whole: half a file makes the crates panic.
pub fn require(circuit: Circuit, proof: RegisteredSealProof, usage: Use) -> Result<(), Failure> {
    let [parameters, key] = files(circuit, proof)?;
    let needed = if usage == Use::Prove {
        vec![parameters, key]
    } else {
        vec![key]
    };
    match needed.iter().find(|(_, state)| *state != State::Whole) {
        None => Ok(()),
        Some((path, state)) => Err(Failure::new(
            "missing-parameters",
            format!(
                "the proof parameters in {} are {}",
                path.display(),
                state.word()
            ),
        )),
    }
}

fn files(circuit: Circuit, proof: RegisteredSealProof) -> Result<[(PathBuf, State); 2], Failure> {
    let (groth, key) = match circuit {
        Circuit::Porep => (
            proof.cache_params_path()?,
            proof.cache_verifying_key_path()?,
        ),
        Circuit::WindowPost => post_paths(PostKind::Window, proof)?,
        Circuit::WinningPost => post_paths(PostKind::Winning, proof)?,
    };
    let mut found = parameters(&groth).of("the proof parameters in", &groth)?;
    let found_key = verifying_key(&key).of("the verifying key in", &key)?;
    let are_whole = found == State::Whole && found_key == State::Whole;
    if are_whole && !belong_together(&groth, &key).of("the proof parameters in", &groth)? {
        found = State::OfAnotherCircuit;
    }
    Ok([(groth, found), (key, found_key)])
}

fn post_paths(kind: PostKind, seal: RegisteredSealProof) -> Result<(PathBuf, PathBuf), Failure> {
    let proof = post_proof(kind, seal)?;
    Ok((
        proof.cache_params_path()?,
        proof.cache_verifying_key_path()?,
    ))
}
