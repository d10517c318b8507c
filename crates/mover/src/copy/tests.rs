use super::*;
use crate::read_back::Wanted;

pub(crate) const ALL: [Engine; 3] = [Engine::Direct, Engine::Uncached, Engine::Buffered];

/// A file and an empty one in a directory of their own.
pub(crate) struct Pair {
    pub temp: tempfile::TempDir,
    pub source: OwnedFd,
    pub target: OwnedFd,
    pub control: Control,
}

impl Pair {
    /// @param length of the source: a hole follows the content
    pub fn of(content: &[u8], length: u64) -> Pair {
        let temp = tempfile::tempdir().unwrap();
        let from = temp.path().join("from");
        std::fs::write(&from, content).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&from).unwrap();
        file.set_len(length).unwrap();
        let dir = files::open_root(temp.path()).unwrap();
        Pair {
            source: files::open_file(&dir, "from").unwrap(),
            target: files::create_file(&dir, "to").unwrap(),
            control: Control::new(),
            temp,
        }
    }

    pub fn try_copy(
        &self,
        choice: EngineChoice,
        change: impl Fn(&mut Order<'_>),
    ) -> Result<Copied> {
        let stat = files::stat(&self.source).unwrap();
        let (source, target) = (
            self.side(&self.source, "from"),
            self.side(&self.target, "to"),
        );
        let mut order = Order {
            source: &source,
            target: Some(&target),
            size: stat.size,
            allocated: stat.allocated,
            before: 0,
            hash: HashKind::Blake3,
            skip_zeros: false,
            freed: Vec::new(),
            control: &self.control,
        };
        change(&mut order);
        copy(&order, choice)
    }

    /// Copies all of it, and checks engine, counter, hash and content.
    pub fn copy(&self, length: u64, choice: EngineChoice) -> Copied {
        let copied = self.try_copy(choice, |_| {}).unwrap();
        if let EngineChoice::Forced(engine) = choice {
            let works = crate::probe_engines(self.temp.path()).unwrap();
            let expected = if works.contains(&engine) {
                engine
            } else {
                Engine::Buffered
            };
            assert_eq!(copied.engine, expected);
        }
        assert_eq!(self.control.progress().0, length);
        assert_eq!(copied.digest, Some(self.hash_target(length)));
        copied
    }

    fn side<'a>(&self, file: &'a OwnedFd, label: &'a str) -> Side<'a> {
        Side { file, label }
    }

    pub fn hash_target(&self, size: u64) -> Digest {
        files::sync(&self.target).unwrap();
        let wanted = Wanted {
            file: self.side(&self.target, "to"),
            size,
            kind: HashKind::Blake3,
            from_disk: true,
            freed: Vec::new(),
            control: &self.control,
        };
        wanted.hash().unwrap()
    }

    fn arrived(&self) -> Vec<u8> {
        std::fs::read(self.temp.path().join("to")).unwrap()
    }

    fn allocated(&self) -> u64 {
        files::stat(&self.target).unwrap().allocated
    }
}

/// No block is zero, and none is as the one before it.
fn content(size: usize) -> Vec<u8> {
    let mut all = vec![1; size];
    for (number, block) in all.chunks_mut(4096).enumerate() {
        block.fill(number as u8 | 1);
        block[0] = (number >> 7) as u8 | 1;
    }
    all
}

#[test]
fn every_length_around_a_block_and_a_chunk_arrives() {
    const MIB: usize = 1 << 20;
    for engine in ALL {
        for size in [
            0,
            1,
            4095,
            4096,
            4097,
            MIB - 1,
            MIB + 1,
            4 * MIB + 4095,
            8 * MIB + 5,
            50 * MIB + 1,
        ] {
            let expected = content(size);
            let pair = Pair::of(&expected, size as u64);
            let copied = pair.copy(size as u64, EngineChoice::Forced(engine));
            assert!(pair.arrived() == expected, "{engine:?}: {size} bytes");
            let work = copied.work;
            assert_eq!(
                (work.read_bytes, work.written_bytes),
                (size as u64, size as u64)
            );
        }
    }
}

#[test]
fn a_hole_at_the_end_is_neither_read_nor_allocated() {
    for engine in ALL {
        let pair = Pair::of(&content(10_000), 64 << 20);
        let copied = pair.copy(64 << 20, EngineChoice::Forced(engine));
        let arrived = pair.arrived();
        assert_eq!(arrived.len(), 64 << 20);
        assert!(arrived[..10_000] == content(10_000));
        let read = copied.work.read_bytes;
        assert!(
            read <= 12_288 && pair.allocated() < 1 << 20,
            "{engine:?}: {read}"
        );
    }
}

#[test]
fn written_zeros_become_holes_if_asked_for() {
    let mut expected = content(20 << 20);
    expected[3 << 20..15 << 20].fill(0);
    expected.extend([0; 100]);
    for engine in ALL {
        let pair = Pair::of(&expected, expected.len() as u64);
        let dense = pair.copy(expected.len() as u64, EngineChoice::Forced(engine));
        let other = Pair::of(&expected, expected.len() as u64);
        let copied = other
            .try_copy(EngineChoice::Forced(engine), |order| {
                order.skip_zeros = true
            })
            .unwrap();
        assert!(other.arrived() == expected, "{engine:?}");
        assert_eq!(copied.digest, dense.digest);
        assert_eq!(other.control.progress().0, expected.len() as u64);
        let (all, some) = (dense.work.written_bytes, copied.work.written_bytes);
        assert!(
            all >= 20 << 20 && some <= 8 << 20,
            "{engine:?}: {all} {some}"
        );
        files::sync(&other.target).unwrap();
        assert!(
            other.allocated() <= 9 << 20,
            "{engine:?}: {}",
            other.allocated()
        );
    }
}

#[test]
fn freed_ranges_are_holes_at_the_target() {
    let expected = content(9 << 20);
    for engine in ALL {
        let pair = Pair::of(&expected, expected.len() as u64);
        let freed = 1 << 20..8 << 20;
        let order = |order: &mut Order<'_>| order.freed = vec![freed.clone()];
        let copied = pair.try_copy(EngineChoice::Forced(engine), order).unwrap();
        assert_eq!(copied.work.read_bytes, 2 << 20);
        let arrived = pair.arrived();
        assert!(arrived[1 << 20..8 << 20].iter().all(|byte| *byte == 0));
        assert!(arrived[8 << 20..] == expected[8 << 20..], "{engine:?}");
        assert_eq!(copied.digest, Some(pair.hash_target(9 << 20)));
    }
}

#[test]
fn every_hash_is_taken_of_every_engine_and_off_takes_none() {
    let expected = content((13 << 20) + 17);
    for kind in [HashKind::Off, HashKind::Xxh3, HashKind::Blake3] {
        let digests = ALL.map(|engine| {
            let pair = Pair::of(&expected, expected.len() as u64);
            let copied = pair.try_copy(EngineChoice::Forced(engine), |order| order.hash = kind);
            copied.unwrap().digest
        });
        assert_eq!(
            digests[0].map_or(HashKind::Off, |digest| digest.kind()),
            kind
        );
        assert!(digests.iter().all(|digest| *digest == digests[0]));
    }
}

#[test]
fn a_cancelled_copy_ends_at_the_next_chunk() {
    for engine in ALL {
        let pair = Pair::of(&content(30 << 20), 30 << 20);
        pair.control.cancel();
        let failure = pair.try_copy(EngineChoice::Forced(engine), |_| {}).err();
        assert_eq!(failure.unwrap().code, Code::Cancelled, "{engine:?}");
    }
}

#[test]
fn a_source_that_became_shorter_is_told() {
    for engine in ALL {
        for size in [5 << 20, (5 << 20) - 4000, 4096, 0] {
            let pair = Pair::of(&content(20 << 20), 20 << 20);
            let shorten = |_: &mut Order<'_>| {
                let from = pair.temp.path().join("from");
                let file = std::fs::OpenOptions::new().write(true).open(from).unwrap();
                file.set_len(size).unwrap();
            };
            let outcome = pair.try_copy(EngineChoice::Forced(engine), shorten);
            // Where only a hole is seen behind the new end, nothing is read there; the move compares sizes afterwards.
            if let Err(failure) = &outcome {
                assert_eq!(failure.code, Code::SourceChanged, "{engine:?}: {size}");
            }
            assert!(
                size == 0 || outcome.is_err() || size % 4096 == 0,
                "{engine:?}: {size}"
            );
        }
    }
}

#[test]
fn a_cold_file_goes_direct_a_hot_one_uncached_and_a_small_one_buffered() {
    let works = |pair: &Pair| crate::probe_engines(pair.temp.path()).unwrap();
    let pair = Pair::of(&content(2 << 20), 2 << 20);
    if works(&pair) != ALL {
        return println!(
            "SKIP: the engine of a file: this disk or kernel knows only {:?}",
            works(&pair)
        );
    }
    assert_eq!(
        pair.copy(2 << 20, EngineChoice::Auto).engine,
        Engine::Uncached
    );
    let pair = Pair::of(&content(2 << 20), 2 << 20);
    files::sync(&pair.source).unwrap();
    extents::forget_cached(&pair.source, 0, 0).unwrap();
    assert_eq!(
        pair.copy(2 << 20, EngineChoice::Auto).engine,
        Engine::Direct
    );
    let pair = Pair::of(&content(2000), 2000);
    assert_eq!(pair.copy(2000, EngineChoice::Auto).engine, Engine::Buffered);
}
