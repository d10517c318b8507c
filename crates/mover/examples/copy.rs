//! Copies one sector file between two storage paths as a daemon does, and says how:
//! `copy SOURCE TARGET sealed/s-t01000-7 [--engine direct] [--hash blake3] [--read-back] [--method copy]`
//!
//! For measuring, and for injecting faults into a process that does nothing else. The source stays.

use std::error::Error;
use std::path::PathBuf;

use mover::{Control, EngineChoice, HashKind, Method, Mover, Options, Place, TransferRequest};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).map(String::as_str)
    };
    let [source, target, name] = args.first_chunk().ok_or("SOURCE TARGET NAME are missing")?;
    let place = |root: &String| Place {
        root: PathBuf::from(root),
        name: name.clone(),
    };
    let request = TransferRequest {
        op: format!("copy-{}", std::process::id()),
        source: place(source),
        target: place(target),
        keep_source: true,
        verify: args.iter().any(|arg| arg == "--read-back"),
        tag: String::new(),
        only: match value("--method") {
            Some("clone") => Some(Method::Clone),
            Some("any") => None,
            _ => Some(Method::Copy),
        },
        hash: HashKind::of_word(value("--hash").unwrap_or("off")).ok_or("no such hash")?,
        skip_zeros: args.iter().any(|arg| arg == "--skip-zeros"),
    };
    let engine = EngineChoice::of_word(value("--engine").unwrap_or("auto"));
    let options = Options {
        engine: engine.ok_or("no such engine")?,
    };
    let mover = Mover::open_with(&PathBuf::from(target).join("moves.journal"), options)?;
    let durable = mover.transfer(&request, &Control::new())?;
    mover.done(&request.op)?;
    println!(
        "{} {} read {} written {} read-back {} allocated {} seconds {:.4}",
        durable.method.as_str(),
        durable.engine.map_or("-", |engine| engine.as_str()),
        durable.copied_bytes,
        durable.written_bytes,
        durable.read_back_bytes,
        durable.allocated_bytes,
        durable.took.as_secs_f64()
    );
    Ok(())
}
