//! Small tools of all experiments: numbers that can be drawn again, JSON, and a skip that is seen.

/// Numbers that look random and are the same again for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Any number.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One from 0 to `end`, which is left out.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

/// A string of JSON.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out + "\""
}

/// What broke, in words that say what it is about: see `Scene::look`.
pub fn tally(broken: &[String]) -> String {
    let of = |what: &str| broken.iter().filter(|each| each.contains(what)).count();
    let (lost, half) = (of("lost: "), of("half visible: "));
    format!(
        "lost {lost}, half-visible {half}, broken in another way {}",
        broken.len() - lost - half
    )
}

/// Ends a test that cannot run here, visibly: `scripts/test.mjs` counts these lines.
pub fn skip(title: &str, reason: &str) {
    println!("SKIP: {title}: {reason}");
}
