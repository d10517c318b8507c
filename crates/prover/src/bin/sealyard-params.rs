//! Makes the Groth16 parameters of one circuit of 2 KiB sectors, for tests and local networks.
//!
//! `sealyard-params --circuit window-post --sector-size 2KiB --directory <dir>`: does nothing when they are there and
//! whole; when somebody else makes them, waits for that. The crates write in place and never redo what a killed maker
//! left, so the files are made in a fresh directory and renamed.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use filecoin_proofs::constants::{DefaultPieceHasher, SectorShape2KiB};
use filecoin_proofs::parameters::{
    public_params, window_post_public_params, winning_post_public_params,
};
use filecoin_proofs_api::{RegisteredPoStProof, RegisteredSealProof};
use rand::rngs::OsRng;
use rustix::fs::{FlockOperation, flock};
use sealyard_prover::parameter_file::{State, parameters, verifying_key};
use storage_proofs_core::compound_proof::CompoundProof;
use storage_proofs_core::parameter_cache::CacheableParameters;
use storage_proofs_porep::stacked::StackedCompound;
use storage_proofs_post::fallback::FallbackPoStCompound;

/// Where the crates put what they make; read once, when they first need it.
const PARAMETER_CACHE: &str = "FIL_PROOFS_PARAMETER_CACHE";
/// Set for the second start, which makes the files where PARAMETER_CACHE says.
const MAKING: &str = "SEALYARD_PARAMS_MAKING";
/// Parameters before the key that proves they are complete, so that a key never stands for other parameters.
const ENDINGS: [&str; 3] = ["meta", "params", "vk"];

/// Writes the three files of one circuit. A macro, because the circuits' types have no name outside their crates.
macro_rules! generate {
    ($compound:ty, $parameters:expr) => {{
        type Compound = $compound;
        let (parameters, random) = ($parameters?, &mut OsRng);
        let circuit = || Compound::blank_circuit(&parameters);
        Compound::get_param_metadata(circuit(), &parameters)?;
        drop(Compound::get_groth_params(
            Some(&mut *random),
            circuit(),
            &parameters,
        )?);
        drop(Compound::get_verifying_key(
            Some(random),
            circuit(),
            &parameters,
        )?);
    }};
}

#[derive(Clone, Copy)]
enum Circuit {
    Porep,
    WindowPost,
    WinningPost,
}

struct Wish {
    circuit: Circuit,
    name: String,
    directory: PathBuf,
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sealyard-params: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<()> {
    let wish = Wish::from_arguments(std::env::args().skip(1))?;
    if std::env::var_os(MAKING).is_some() {
        return wish.make();
    }
    fs::create_dir_all(&wish.directory)
        .with_context(|| format!("cannot make {}", wish.directory.display()))?;
    let fresh = wish.fresh_directory();
    // The paths in the crates follow PARAMETER_CACHE, which a process cannot change for itself: it starts itself again.
    let mut again = Command::new(std::env::current_exe()?);
    again
        .args(std::env::args().skip(1))
        .env(MAKING, "1")
        .env(PARAMETER_CACHE, &fresh);
    Err(again.exec()).context("cannot start again")
}

impl Wish {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let (mut circuit, mut size, mut directory) = (None, None, None);
        while let Some(flag) = arguments.next() {
            let place = match flag.as_str() {
                "--circuit" => &mut circuit,
                "--sector-size" => &mut size,
                "--directory" => &mut directory,
                other => {
                    bail!("'{other}' is no flag; known are --circuit, --sector-size, --directory")
                }
            };
            *place = Some(
                arguments
                    .next()
                    .with_context(|| format!("{flag} needs a value"))?,
            );
        }
        let name = circuit.context("--circuit is missing: window-post, winning-post or porep")?;
        let circuit = match name.as_str() {
            "porep" => Circuit::Porep,
            "window-post" => Circuit::WindowPost,
            "winning-post" => Circuit::WinningPost,
            other => bail!("'{other}' is no circuit: choose window-post, winning-post or porep"),
        };
        let size = size.context("--sector-size is missing")?;
        ensure!(
            size == "2KiB",
            "parameters of {size} sectors are not made here: they take hours and tens of GB of memory, and a network \
             accepts only its own; the network's are downloaded"
        );
        let directory = PathBuf::from(directory.context("--directory is missing")?);
        Ok(Self {
            circuit,
            name,
            directory,
        })
    }

    /// On the same filesystem, so that files can be renamed out of it. One name for all makers: the lock lets one work.
    fn fresh_directory(&self) -> PathBuf {
        self.directory.join(format!("making-{}", self.name))
    }

    fn make(&self) -> Result<()> {
        let lock_path = self.directory.join(format!("making-{}.lock", self.name));
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&lock_path)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            eprintln!(
                "another process makes the parameters for {}; waiting for it",
                self.name
            );
            flock(&lock, FlockOperation::LockExclusive)?;
        }
        let stem = self.file_stem()?;
        if is_there(&self.directory.join(stem.as_str()))? {
            eprintln!(
                "the parameters for {} of 2KiB sectors are already there",
                self.name
            );
            return Ok(());
        }
        let fresh = self.fresh_directory();
        if fresh.exists() {
            // Whoever made these was killed, else the lock would not be ours.
            fs::remove_dir_all(&fresh)?;
        }
        fs::create_dir(&fresh)?;
        eprintln!(
            "making the parameters for {} of 2KiB sectors; {}",
            self.name,
            self.cost()
        );
        self.generate()?;
        self.move_into_place(&fresh, &stem)?;
        eprintln!("made {}", self.directory.join(stem).display());
        Ok(())
    }

    fn cost(&self) -> &'static str {
        match self.circuit {
            Circuit::WindowPost => "15 s of processor time, 12 MB",
            Circuit::WinningPost => "a minute of processor time, 48 MB",
            Circuit::Porep => "24 minutes of processor time, 5 GiB of memory, 1.1 GB of disk",
        }
    }

    /// File name without its ending, the same that the network's parameters have.
    fn file_stem(&self) -> Result<String> {
        let path = match self.circuit {
            Circuit::Porep => RegisteredSealProof::StackedDrg2KiBV1_1.cache_params_path(),
            Circuit::WindowPost => {
                RegisteredPoStProof::StackedDrgWindow2KiBV1_2.cache_params_path()
            }
            Circuit::WinningPost => {
                RegisteredPoStProof::StackedDrgWinning2KiBV1.cache_params_path()
            }
        }?;
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        Ok(stem.context("a parameter file without a name")?.to_string())
    }

    fn generate(&self) -> Result<()> {
        type Tree = SectorShape2KiB;
        match self.circuit {
            Circuit::Porep => {
                let config = RegisteredSealProof::StackedDrg2KiBV1_1.as_v1_config();
                generate!(StackedCompound<Tree, DefaultPieceHasher>, public_params::<Tree>(&config));
            }
            Circuit::WindowPost => {
                let config = RegisteredPoStProof::StackedDrgWindow2KiBV1_2.as_v1_config();
                generate!(
                    FallbackPoStCompound<Tree>,
                    window_post_public_params::<Tree>(&config)
                );
            }
            Circuit::WinningPost => {
                let config = RegisteredPoStProof::StackedDrgWinning2KiBV1.as_v1_config();
                generate!(
                    FallbackPoStCompound<Tree>,
                    winning_post_public_params::<Tree>(&config)
                );
            }
        }
        Ok(())
    }

    fn move_into_place(&self, fresh: &Path, stem: &str) -> Result<()> {
        let file = |directory: &Path, ending: &str| directory.join(format!("{stem}.{ending}"));
        for ending in ENDINGS {
            File::open(file(fresh, ending))?.sync_all()?;
        }
        // A key left alone would stand for other parameters than those that come now.
        match fs::remove_file(file(&self.directory, "vk")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        for ending in ENDINGS {
            fs::rename(file(fresh, ending), file(&self.directory, ending))?;
        }
        File::open(&self.directory)?.sync_all()?;
        fs::remove_dir_all(fresh)?;
        Ok(())
    }
}

fn is_there(stem: &Path) -> Result<bool> {
    let with = |ending: &str| PathBuf::from(format!("{}.{ending}", stem.display()));
    Ok(parameters(&with("params"))? == State::Whole && verifying_key(&with("vk"))? == State::Whole)
}
