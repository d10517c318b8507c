//! Which ways to copy work on a storage path, found by trying them with a small file.

use std::path::Path;

use sys::{Errno, files, names};

use crate::Control;
use crate::copy::{self, Engine, Order, Side};
use crate::failure::{During, Result};
use crate::hash::HashKind;
use crate::tier::Probe;

/// Tries every engine from the path to itself. `Buffered` always works; a copy to another path takes an engine that
/// works on both.
/// # Errors
/// The path is not there or cannot be written.
pub fn probe_engines(path: &Path) -> Result<Vec<Engine>> {
    let probe = Probe::open(path)?;
    let (from, to) = (Probe::name(), Probe::name());
    let tried = try_all(&probe, &from, &to);
    for name in [&from, &to] {
        match names::unlink(&probe.ours, name) {
            Err(Errno::NOENT) => {}
            other => other.during("unlinkat", || probe.label(name))?,
        }
    }
    tried
}

fn try_all(probe: &Probe, from: &str, to: &str) -> Result<Vec<Engine>> {
    probe.put(from)?;
    let (from_label, to_label) = (probe.label(from), probe.label(to));
    let source = files::open_file(&probe.ours, from).during("openat2", || from_label.clone())?;
    let target = files::create_file(&probe.ours, to).during("openat2", || to_label.clone())?;
    let size = files::stat(&source)
        .during("fstat", || from_label.clone())?
        .size;
    let order = Order {
        source: &Side {
            file: &source,
            label: &from_label,
        },
        target: Some(&Side {
            file: &target,
            label: &to_label,
        }),
        size,
        allocated: size,
        before: 0,
        hash: HashKind::Off,
        skip_zeros: false,
        freed: Vec::new(),
        control: &Control::new(),
    };
    let mut works = Vec::new();
    for engine in [Engine::Direct, Engine::Uncached, Engine::Buffered] {
        if copy::attempt(&order, engine)?.is_some() {
            works.push(engine);
        }
    }
    Ok(works)
}
