//! One move, or the recovery after it, in a process of its own: what faults are injected into.

use std::path::PathBuf;

use mover::{
    Control, EngineChoice, HashKind, Method, Mover, Place, RecoveredState, TransferRequest,
};

use crate::scene::Scene;
use crate::tell::quoted;

/// How to call it.
pub const USAGE: &str =
    "faults drive --journal FILE --source DIR --target DIR --name TYPE/SECTOR [--op ID]
              [--keep-source] [--verify] [--only rename|clone|copy]
              [--engine auto|direct|uncached|buffered]
       faults recover --journal FILE";

/// The options of `drive` and `recover`.
#[derive(Default)]
pub struct Options {
    journal: PathBuf,
    source: PathBuf,
    target: PathBuf,
    name: String,
    op: String,
    keep_source: bool,
    verify: bool,
    only: Option<Method>,
    engine: EngineChoice,
}

impl Options {
    /// Reads them.
    /// # Errors
    /// What is not understood.
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            op: "op".to_owned(),
            ..Options::default()
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--journal" => options.journal = value()?.into(),
                "--source" => options.source = value()?.into(),
                "--target" => options.target = value()?.into(),
                "--name" => options.name = value()?,
                "--op" => options.op = value()?,
                "--keep-source" => options.keep_source = true,
                "--verify" => options.verify = true,
                "--engine" => options.engine = engine(&value()?)?,
                "--only" => options.only = Some(method(&value()?)?),
                _ => return Err(format!("there is no option {word}")),
            }
        }
        Ok(options)
    }

    fn request(self) -> TransferRequest {
        let place = |root: PathBuf| Place {
            root,
            name: self.name.clone(),
        };
        TransferRequest {
            source: place(self.source),
            target: place(self.target),
            op: self.op,
            keep_source: self.keep_source,
            verify: self.verify,
            tag: "driver".to_owned(),
            only: self.only,
            hash: HashKind::Off,
            skip_zeros: false,
        }
    }
}

fn method(word: &str) -> Result<Method, String> {
    [Method::Rename, Method::Clone, Method::Copy]
        .into_iter()
        .find(|method| method.as_str() == word)
        .ok_or(format!("there is no method {word}"))
}

fn engine(word: &str) -> Result<EngineChoice, String> {
    EngineChoice::of_word(word).ok_or(format!("there is no engine {word}"))
}

/// The words of a scene's move, for a process that shall make it.
pub fn words(scene: &Scene) -> Vec<String> {
    let request = &scene.request;
    let path = |path: &std::path::Path| path.display().to_string();
    let mut all: Vec<String> = [
        ("--journal", path(&scene.journal)),
        ("--source", path(&request.source.root)),
        ("--target", path(&request.target.root)),
        ("--name", request.source.name.clone()),
        ("--op", request.op.clone()),
        ("--engine", engine_word(scene.engine).to_owned()),
    ]
    .into_iter()
    .flat_map(|(option, value)| [option.to_owned(), value])
    .collect();
    all.extend(request.keep_source.then(|| "--keep-source".to_owned()));
    all.extend(request.verify.then(|| "--verify".to_owned()));
    all.extend(
        request
            .only
            .iter()
            .flat_map(|only| ["--only".to_owned(), only.as_str().to_owned()]),
    );
    all
}

/// The word of an engine's choice.
pub fn engine_word(engine: EngineChoice) -> &'static str {
    match engine {
        EngineChoice::Auto => "auto",
        EngineChoice::Forced(engine) => engine.as_str(),
    }
}

/// Makes the move and prints what came of it as one line of JSON. True if it is done.
pub fn drive(options: Options) -> bool {
    let (journal, engine) = (options.journal.clone(), options.engine);
    let request = options.request();
    let whole = || -> mover::Result<mover::Durable> {
        let (mover, control) = (
            Mover::open_with(&journal, mover::Options { engine })?,
            Control::new(),
        );
        let durable = mover.transfer(&request, &control)?;
        if !request.keep_source {
            mover.remove_source(&request.op, &control)?;
        }
        mover.done(&request.op)?;
        Ok(durable)
    };
    match whole() {
        Ok(durable) => println!(
            "{{\"done\":true,\"method\":{},\"engine\":{},\"bytes\":{},\"copiedBytes\":{},\"files\":{}}}",
            quoted(durable.method.as_str()),
            durable
                .engine
                .map_or("null".to_owned(), |engine| quoted(engine.as_str())),
            durable.bytes,
            durable.copied_bytes,
            durable.files
        ),
        Err(failure) => {
            println!(
                "{{\"done\":false,\"code\":{},\"errno\":{},\"message\":{}}}",
                quoted(failure.code.as_str()),
                failure
                    .errno
                    .map_or("null".to_owned(), |errno| errno.to_string()),
                quoted(&failure.message)
            );
            return false;
        }
    }
    true
}

/// Recovers as a caller does at its start and prints what was found, a line for each move. True if nothing is open.
pub fn recover(options: Options) -> bool {
    let whole = || -> mover::Result<bool> {
        let (mover, control) = (Mover::open(&options.journal)?, Control::new());
        let mut settled = true;
        for each in mover.recover(&control)? {
            println!(
                "{{\"op\":{},\"state\":{},\"reason\":{}}}",
                quoted(&each.op),
                quoted(each.state.as_str()),
                each.reason.as_deref().map_or("null".to_owned(), quoted)
            );
            if each.state == RecoveredState::TargetDurable && !each.keep_source {
                mover.remove_source(&each.op, &control)?;
            }
            match each.state {
                RecoveredState::Discarded => {}
                RecoveredState::Alarm => settled = false,
                _ => mover.done(&each.op)?,
            }
        }
        Ok(settled)
    };
    whole().unwrap_or_else(|failure| {
        println!(
            "{{\"done\":false,\"code\":{},\"message\":{}}}",
            quoted(failure.code.as_str()),
            quoted(&failure.message)
        );
        false
    })
}
