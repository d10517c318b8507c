//! A prover child and the files of one 2 KiB sector.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

pub const V1_1: &str = "StackedDrg2KiBV1_1";
pub const SECTOR: u64 = 2048;
pub const DATA: u64 = SECTOR / 128 * 127;
pub const TICKET: &str = "0101010101010101010101010101010101010101010101010101010101010101";
pub const OTHER_TICKET: &str = "0202020202020202020202020202020202020202020202020202020202020202";
pub const SEED: &str = "0303030303030303030303030303030303030303030303030303030303030303";

pub struct Prover {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

impl Prover {
    pub fn start(directory: &Path) -> Self {
        Self::start_with(directory, &[])
    }

    pub fn start_with(directory: &Path, environment: &[(&str, &str)]) -> Self {
        let program = Command::new(env!("CARGO_BIN_EXE_sealyard-prover"));
        Self::spawn(program, directory, environment)
    }

    /// One that the kernel kills when it writes behind so many blocks of 512 bytes of any file.
    pub fn start_killed_behind(directory: &Path, blocks: u64) -> Self {
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            &format!("ulimit -c 0; ulimit -f {blocks}; exec \"$0\""),
        ]);
        shell.arg(env!("CARGO_BIN_EXE_sealyard-prover"));
        Self::spawn(shell, directory, &[])
    }

    fn spawn(mut program: Command, directory: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = program
            .current_dir(directory)
            .env("TMPDIR", directory)
            .env(
                "FIL_PROOFS_PARAMETER_CACHE",
                directory.join("no-parameters"),
            )
            .env("FIL_PROOFS_PARENT_CACHE", directory.join("parents"))
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let stdin = child.stdin.take();
        let mut prover = Self {
            child,
            stdin,
            lines,
        };
        assert!(prover.line().get("ready").is_some());
        prover
    }

    pub fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The line that ends a task.
    pub fn answer(&mut self) -> Value {
        loop {
            let line = self.line();
            if line.get("progress").is_none() {
                return line;
            }
        }
    }

    /// Closes its stdin and gives its exit status.
    pub fn end(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().unwrap().code()
    }
}

/// One sector's files, and a process for every task on them.
pub struct Files {
    pub directory: tempfile::TempDir,
    pub proof: &'static str,
}

impl Files {
    pub fn new(proof: &'static str) -> Self {
        let files = Self {
            directory: tempfile::tempdir().unwrap(),
            proof,
        };
        fs::write(files.at("data"), files.data()).unwrap();
        files
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn data(&self) -> Vec<u8> {
        (0..DATA).map(|at| (at * 31 % 253) as u8).collect()
    }

    pub fn sector(&self) -> Value {
        json!({ "proof": self.proof, "miner": 1000, "number": 7 })
    }

    /// The task's output. Fails the test when it was refused.
    pub fn run(&self, task: Value) -> Value {
        self.ask(task)["output"].take()
    }

    /// The kind of the task's error.
    pub fn refusal(&self, task: Value) -> String {
        let answer = self.ask(task);
        answer["error"]["kind"]
            .as_str()
            .unwrap_or_else(|| panic!("not refused: {answer}"))
            .to_string()
    }

    fn ask(&self, task: Value) -> Value {
        let mut prover = Prover::start(self.directory.path());
        prover.say(&json!({ "id": "1", "task": task }).to_string());
        let answer = prover.answer();
        assert_eq!(prover.end(), Some(0));
        answer
    }

    pub fn add_piece(&self) -> Value {
        json!({
            "name": "add-piece", "sector": self.sector(), "unsealed": self.at("unsealed"), "existingPieces": [],
            "pieceBytes": DATA, "source": { "kind": "file", "file": self.at("data"), "dataBytes": DATA },
        })
    }

    pub fn pc1(&self, piece: &Value, ticket: &str) -> Value {
        json!({
            "name": "pre-commit-1", "sector": self.sector(), "unsealed": self.at("unsealed"),
            "sealed": self.at("sealed"), "cache": self.at("cache"), "ticket": ticket, "pieces": [piece],
        })
    }

    pub fn pc2(&self, pc1: &Value) -> Value {
        json!({
            "name": "pre-commit-2", "sector": self.sector(), "sealed": self.at("sealed"), "cache": self.at("cache"),
            "phase1Output": pc1["phase1Output"],
        })
    }

    pub fn c1(&self, piece: &Value, ticket: &str, pc2: &Value) -> Value {
        json!({
            "name": "commit-1", "sector": self.sector(), "sealed": self.at("sealed"), "cache": self.at("cache"),
            "commD": pc2["commD"], "commR": pc2["commR"], "ticket": ticket, "seed": SEED, "pieces": [piece],
            "output": self.at("c1.json"),
        })
    }

    pub fn unseal(&self, pc2: &Value, offset: u64, size: u64) -> Value {
        json!({
            "name": "unseal", "sector": self.sector(), "sealed": self.at("sealed"), "unsealed": self.at("again"),
            "ticket": TICKET, "commD": pc2["commD"], "offset": offset, "size": size,
            "scratchCache": self.at("scratch"),
        })
    }

    /// Adds the piece, runs PC1 and PC2; the piece and PC2's output.
    pub fn seal(&self) -> (Value, Value) {
        let piece = self.run(self.add_piece());
        let pc1 = self.run(self.pc1(&piece, TICKET));
        let pc2 = self.run(self.pc2(&pc1));
        (piece, pc2)
    }

    /// What the trailer of an unsealed file says, as (start, end).
    pub fn allocated(&self, name: &str, sector_bytes: u64) -> Vec<(u64, u64)> {
        let file = File::open(self.at(name)).unwrap();
        let allocated = unsealed::read(&file, sector_bytes).unwrap();
        allocated
            .ranges()
            .iter()
            .map(|range| (range.start, range.end))
            .collect()
    }

    /// File names and contents of the cache directory.
    pub fn cache(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.at("cache"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    fs::read(entry.path()).unwrap(),
                )
            })
            .collect();
        files.sort();
        files
    }
}
