//! Faults, really injected into moves of the mover, and one judge of what they leave: [`scene::Scene`].

pub mod calls;
mod content;
pub mod disk;
pub mod driver;
pub mod power_cut;
pub mod scene;
pub mod tell;

/// What ends an experiment: not a fault's outcome, but that it could not be made or that an invariant broke.
pub type Outcome<T> = Result<T, String>;

/// Says what was being done when the system refused.
pub fn while_doing<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> String + '_ {
    move |error| format!("{what}: {error}")
}
