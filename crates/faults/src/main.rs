//! The program behind `npm run torture` and the tests of faults.

use std::process::ExitCode;

use faults::calls::{campaign, trap, worker};
use faults::driver::{self, Options};
use faults::{Outcome, power_cut};

const USAGE: &str = "usage: faults power-cut [--cycles N] [--seed S]
       faults syscalls [--one-in N] [--seed S]
       ";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let outcome = match words.next().as_deref() {
        Some("drive") => Options::read(words).map(driver::drive),
        Some("recover") => Options::read(words).map(driver::recover),
        Some("trap") => trap::become_program(&words.collect::<Vec<_>>()).map(|()| false),
        Some("supervise") => worker::Options::read(words).and_then(worker::supervise),
        Some("syscalls") => std::env::current_exe()
            .map_err(|error| error.to_string())
            .and_then(|own| {
                let [one_in, seed] = numbers(words, [("--one-in", 1), ("--seed", 1)])?;
                campaign::campaign(&own, 1, campaign::Sample { one_in, seed })
            }),
        Some("power-cut") => numbers(words, [("--cycles", 1000), ("--seed", 1)])
            .and_then(|[cycles, seed]| power_cut::campaign(cycles, seed)),
        _ => Err(format!("{USAGE}{}", driver::USAGE)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(2)
        }
    }
}

/// The values of options that are numbers, or what they are without being named.
fn numbers<const N: usize>(
    words: impl Iterator<Item = String>,
    known: [(&str, u64); N],
) -> Outcome<[u64; N]> {
    let mut values = known.map(|(_, default)| default);
    let mut words = words;
    while let Some(word) = words.next() {
        let at = known
            .iter()
            .position(|(name, _)| *name == word)
            .ok_or(format!("there is no option {word}"))?;
        let value = words.next().and_then(|value| value.parse().ok());
        values[at] = value.ok_or(format!("{word} needs a number"))?;
    }
    Ok(values)
}
