//! The ways to copy, and which one suits a file.

use crate::failure::{During, Result};
use crate::residency::cached_bytes;

use super::Order;

/// How the data of a file is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Past the page cache of both sides, many requests at a time (io_uring, O_DIRECT).
    Direct,
    /// Through the page cache, leaving in it what was there (RWF_DONTCACHE).
    Uncached,
    /// Through the page cache, dropping behind what the copy brought in. It works everywhere.
    Buffered,
}

impl Engine {
    /// The word operators and TypeScript know.
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::Direct => "direct",
            Engine::Uncached => "uncached",
            Engine::Buffered => "buffered",
        }
    }
}

/// What an operator allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// What suits each file.
    #[default]
    Auto,
    /// This one where it works, else `Buffered`.
    Forced(Engine),
}

impl EngineChoice {
    /// The choice of this name: `auto`, or an engine's.
    pub fn of_word(word: &str) -> Option<EngineChoice> {
        if word == "auto" {
            return Some(EngineChoice::Auto);
        }
        let all = [Engine::Direct, Engine::Uncached, Engine::Buffered];
        let engine = all.into_iter().find(|engine| engine.as_str() == word);
        engine.map(EngineChoice::Forced)
    }
}

/// Below this, making a ring takes longer than the copy.
const WORTH_A_RING: u64 = 1 << 20;

/// The engine to try first.
pub(super) fn choose(order: &Order<'_>, choice: EngineChoice) -> Result<Engine> {
    match choice {
        EngineChoice::Forced(engine) => Ok(engine),
        EngineChoice::Auto if order.size < WORTH_A_RING => Ok(Engine::Buffered),
        EngineChoice::Auto if is_hot(order)? => Ok(Engine::Uncached),
        EngineChoice::Auto => Ok(Engine::Direct),
    }
}

/// Whether most of the source's data is in the page cache.
///
/// Measured: a cold disk was read at 0.5 GB/s by `Uncached` and 1.4 by `Direct`, which reads the disk for cached pages
/// too; cached pages were copied at 3.2. Three quarters is where both take the same time.
fn is_hot(order: &Order<'_>) -> Result<bool> {
    let (file, path) = (order.source.file, || order.source.path());
    let data = order.size.min(order.allocated);
    let cached = cached_bytes(file, 0, order.size).during("cachestat", path)?;
    Ok(cached.is_some_and(|cached| cached >= data / 4 * 3))
}
