use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::failure::Failure;

/// The lines out. Stdout is theirs alone: anything else that prints there lands on stderr.
#[derive(Clone)]
pub struct Answers {
    out: Arc<Mutex<File>>,
}

impl Answers {
    /// Keeps a private duplicate of stdout and points descriptor 1 at stderr.
    pub fn take_stdout() -> io::Result<Self> {
        let private = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
        Ok(Self {
            out: Arc::new(Mutex::new(File::from(private))),
        })
    }

    pub fn ready(&self) {
        let version = env!("CARGO_PKG_VERSION");
        self.line(&json!({ "ready": { "prover": version, "proofs": "19.1.0", "pid": std::process::id() } }));
    }

    pub fn progress(&self, id: &str, target: &str, message: &str) {
        self.line(&json!({ "id": id, "progress": { "target": target, "message": message } }));
    }

    pub fn done(&self, id: &str, output: Value) {
        self.line(&json!({ "id": id, "output": output }));
    }

    pub fn failed(&self, id: &Value, failure: &Failure) {
        self.line(
            &json!({ "id": id, "error": { "kind": failure.kind, "message": failure.message } }),
        );
    }

    pub fn panicked(&self, id: &str, text: &str) {
        self.line(&json!({ "id": id, "panic": text.replace('\n', " ") }));
    }

    /// A reader that has gone has no use for the rest: SIGPIPE is ignored in Rust, so the write's error ends us.
    fn line(&self, value: &Value) {
        let mut text = value.to_string();
        text.push('\n');
        let mut out = self
            .out
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if out.write_all(text.as_bytes()).is_err() {
            std::process::exit(1);
        }
    }
}
