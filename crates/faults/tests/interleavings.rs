//! Any order of moves there and back, cancels, kills and recoveries ends in a state that is allowed.

use std::fs;
use std::sync::{Arc, OnceLock, Weak};

use faults::scene::{Scene, Subject};
use mover::{Code, Control, Method, Step, TransferRequest};
use proptest::prelude::*;

/// What happens next to the one sector there is.
#[derive(Clone, Debug)]
enum Event {
    /// Moved from where it is to the other path.
    Move(Option<Method>),
    /// The same, cancelled at a step.
    Cancelled(Option<Method>, Step),
    /// The same, and the process is killed after its n-th step.
    Killed(Option<Method>, usize),
    /// The process starts and is killed after the n-th step of its recovery.
    RecoveryKilled(usize),
    /// The process starts, recovers, and runs on.
    Restart,
    /// A copy that keeps its source, and then one of both is removed, as an operator does.
    CopiedAndOneRemoved,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let only = || {
        prop_oneof![
            Just(None),
            Just(Some(Method::Copy)),
            Just(Some(Method::Rename))
        ]
    };
    let step = prop_oneof![
        Just(Step::IntentWritten),
        Just(Step::TempMade),
        Just(Step::FileSynced),
        Just(Step::TempDurable),
        Just(Step::Named),
        Just(Step::TargetRecorded),
    ];
    let event = prop_oneof![
        2 => only().prop_map(Event::Move),
        2 => (only(), step).prop_map(|(only, step)| Event::Cancelled(only, step)),
        4 => (only(), 1..15usize).prop_map(|(only, at)| Event::Killed(only, at)),
        3 => (1..6usize).prop_map(Event::RecoveryKilled),
        1 => Just(Event::Restart),
        1 => Just(Event::CopiedAndOneRemoved),
    ];
    prop::collection::vec(event, 1..9)
}

/// A sector, and the process that moves it.
struct Model {
    scene: Scene,
    asked: usize,
    /// It was killed and has not recovered since.
    is_down: bool,
}

impl Model {
    fn request(&mut self, only: Option<Method>) -> TransferRequest {
        self.asked += 1;
        let sight = self.scene.look().unwrap();
        let there = self.scene.request.clone();
        let (source, target) = if sight.source {
            (there.source, there.target)
        } else {
            (there.target, there.source)
        };
        TransferRequest {
            op: format!("op-{}", self.asked),
            source,
            target,
            only,
            ..self.scene.request.clone()
        }
    }

    /// A process that starts recovers before it moves anything.
    fn start(&mut self) -> Result<(), TestCaseError> {
        self.is_down = false;
        self.scene
            .recover(&Control::new())
            .map(drop)
            .map_err(TestCaseError::fail)
    }

    fn happen(&mut self, event: &Event) -> Result<(), TestCaseError> {
        if self.is_down && !matches!(event, Event::RecoveryKilled(_)) {
            self.start()?;
        }
        match event {
            Event::Restart => self.start()?,
            Event::Move(only) => {
                let request = self.request(*only);
                let ended = self.scene.move_wholly(&request, &Control::new());
                prop_assert!(ended.is_ok(), "{ended:?}");
            }
            Event::Cancelled(only, step) => {
                let request = self.request(*only);
                match self.scene.move_wholly(&request, &cancelled_at(*step)) {
                    Ok(_) => {}
                    Err(failure) => prop_assert_eq!(failure.code, Code::Cancelled),
                }
            }
            Event::Killed(only, at) => {
                let request = self.request(*only);
                self.is_down = self.scene.move_killed_at(&request, *at).is_none();
            }
            Event::RecoveryKilled(at) => {
                let ended = self
                    .scene
                    .recover_killed_at(*at)
                    .map_err(TestCaseError::fail)?;
                self.is_down = ended.is_none();
            }
            Event::CopiedAndOneRemoved => {
                let request = TransferRequest {
                    keep_source: true,
                    ..self.request(Some(Method::Copy))
                };
                self.scene.move_wholly(&request, &Control::new()).unwrap();
                let gone = if self.asked.is_multiple_of(2) {
                    self.scene.source()
                } else {
                    self.scene.target()
                };
                if gone.is_dir() {
                    fs::remove_dir_all(gone)
                } else {
                    fs::remove_file(gone)
                }
                .unwrap();
            }
        }
        self.scene.look().map(drop).map_err(TestCaseError::fail)
    }
}

/// The caller changes its mind when the step is passed.
fn cancelled_at(at: Step) -> Arc<Control> {
    let cell: Arc<OnceLock<Weak<Control>>> = Arc::new(OnceLock::new());
    let own = cell.clone();
    let control = Arc::new(Control::with_steps(move |step| {
        if step == at
            && let Some(control) = own.get().and_then(Weak::upgrade)
        {
            control.cancel();
        }
    }));
    let _ = cell.set(Arc::downgrade(&control));
    control
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_moves_cancels_kills_and_recoveries_ends_in_a_legal_state(
        events in events(),
        is_directory in any::<bool>(),
    ) {
        let own = tempfile::tempdir_in(faults::disk::looped::fast()).unwrap();
        let [source, target] = ["seal", "store"].map(|name| own.path().join(name));
        fs::create_dir(&source).unwrap();
        fs::create_dir(&target).unwrap();
        let subject = if is_directory { Subject::Directory } else { Subject::File };
        let journal = own.path().join("moves.journal");
        let scene = Scene::set(&journal, (&source, &target), subject, 9000, 1).unwrap();
        let mut model = Model { scene, asked: 0, is_down: false };
        for event in &events {
            model.happen(event)?;
        }
        model.start()?;
        model.scene.settle().map_err(TestCaseError::fail)?;
    }
}
