//! What can be asked for.

use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::parameters::Parameters;
use crate::pieces::{AddPiece, DataCommitment, PieceCommitment};
use crate::post::{PostChallenges, ProvePost, VanillaPost, VerifyPost};
use crate::seal::{Commit1, Commit2, Finalize, PreCommit1, PreCommit2, VerifySeal};
use crate::unseal::Unseal;
use crate::unsealed_file::{FreeUnsealed, ReadUnsealed};

/// One line in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Comes back in every line that answers this one.
    pub id: String,
    pub task: Task,
}

#[derive(Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Task {
    AddPiece(AddPiece),
    PieceCommitment(PieceCommitment),
    DataCommitment(DataCommitment),
    #[serde(rename = "pre-commit-1")]
    PreCommit1(PreCommit1),
    #[serde(rename = "pre-commit-2")]
    PreCommit2(PreCommit2),
    #[serde(rename = "commit-1")]
    Commit1(Commit1),
    #[serde(rename = "commit-2")]
    Commit2(Commit2),
    VerifySeal(VerifySeal),
    Finalize(Finalize),
    Unseal(Unseal),
    ReadUnsealed(ReadUnsealed),
    FreeUnsealed(FreeUnsealed),
    PostChallenges(PostChallenges),
    VanillaPost(VanillaPost),
    ProvePost(ProvePost),
    VerifyPost(VerifyPost),
    Parameters(Parameters),
}

/// Does one task; the value goes into its answer.
pub fn run(task: Task) -> Result<Value, Failure> {
    match task {
        Task::AddPiece(task) => task.run(),
        Task::PieceCommitment(task) => task.run(),
        Task::DataCommitment(task) => task.run(),
        Task::PreCommit1(task) => task.run(),
        Task::PreCommit2(task) => task.run(),
        Task::Commit1(task) => task.run(),
        Task::Commit2(task) => task.run(),
        Task::VerifySeal(task) => task.run(),
        Task::Finalize(task) => task.run(),
        Task::Unseal(task) => task.run(),
        Task::ReadUnsealed(task) => task.run(),
        Task::FreeUnsealed(task) => task.run(),
        Task::PostChallenges(task) => task.run(),
        Task::VanillaPost(task) => task.run(),
        Task::ProvePost(task) => task.run(),
        Task::VerifyPost(task) => task.run(),
        Task::Parameters(task) => task.run(),
    }
}
