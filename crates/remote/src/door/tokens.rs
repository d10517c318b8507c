//! Verdicts about tokens: asked once, remembered for a while, both within limits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::scopes::Scopes;

/// What a token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything the door serves.
    Allowed,
    /// What its scopes name; all else as for a forbidden one.
    Scoped(Arc<Scopes>),
    /// A known token without the permission: 401 with lotus's words.
    Forbidden,
    /// Not a token: 401, empty.
    Denied,
    /// Cannot be told now: 503, and not remembered.
    Unavailable,
}

/// Most verdicts remembered, and most questions open: random tokens must not fill the memory.
const MOST: usize = 1024;
/// A refusal is forgotten soon, whatever it was given: a token may have just been made.
const LONGEST_REFUSAL: Duration = Duration::from_secs(5);

/// A question without an answer yet.
struct Question<W> {
    token: String,
    until: Instant,
    waiting: Vec<W>,
}

/// What to do with a caller now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The verdict is known.
    Now(Verdict),
    /// The caller waits; a ticket to ask with, when it is the first with this token.
    Waiting(Option<u64>),
}

/// The memory. `W` names a waiting caller.
pub(crate) struct Tokens<W> {
    known: HashMap<String, (Verdict, Instant)>,
    questions: HashMap<u64, Question<W>>,
    tickets: HashMap<String, u64>,
    next_ticket: u64,
    patience: Duration,
}

impl<W> Tokens<W> {
    pub fn new(patience: Duration) -> Self {
        let (known, questions, tickets) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self {
            known,
            questions,
            tickets,
            next_ticket: 1,
            patience,
        }
    }

    pub fn judge(&mut self, token: &str, caller: W, now: Instant) -> Judged {
        if let Some((verdict, until)) = self.known.get(token) {
            if *until > now {
                return Judged::Now(verdict.clone());
            }
            self.known.remove(token);
        }
        if let Some(question) = self
            .tickets
            .get(token)
            .and_then(|ticket| self.questions.get_mut(ticket))
        {
            question.waiting.push(caller);
            return Judged::Waiting(None);
        }
        if self.questions.len() >= MOST {
            return Judged::Now(Verdict::Unavailable);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.tickets.insert(token.to_owned(), ticket);
        let question = Question {
            token: token.to_owned(),
            until: now + self.patience,
            waiting: vec![caller],
        };
        self.questions.insert(ticket, question);
        Judged::Waiting(Some(ticket))
    }

    /// Takes an answer in; returns who waited for it. An answer nobody waits for is dropped.
    pub fn answer(
        &mut self,
        ticket: u64,
        verdict: Verdict,
        lasts: Duration,
        now: Instant,
    ) -> Vec<W> {
        let Some(question) = self.questions.remove(&ticket) else {
            return Vec::new();
        };
        self.tickets.remove(&question.token);
        let lasts = match verdict {
            Verdict::Allowed | Verdict::Scoped(_) => lasts,
            Verdict::Forbidden | Verdict::Denied => lasts.min(LONGEST_REFUSAL),
            Verdict::Unavailable => Duration::ZERO,
        };
        if self.known.len() >= MOST {
            self.known.retain(|_, (_, until)| *until > now);
        }
        if self.known.len() >= MOST {
            self.known
                .retain(|_, (verdict, _)| matches!(verdict, Verdict::Allowed | Verdict::Scoped(_)));
        }
        if !lasts.is_zero() && self.known.len() < MOST {
            self.known.insert(question.token, (verdict, now + lasts));
        }
        question.waiting
    }

    /// When the first of them ends.
    pub fn earliest(&self) -> Option<Instant> {
        self.questions.values().map(|question| question.until).min()
    }

    /// Callers whose patience has ended.
    pub fn expired(&mut self, now: Instant) -> Vec<W> {
        let late = |question: &Question<W>| question.until <= now;
        let tickets: Vec<u64> = self
            .questions
            .iter()
            .filter(|(_, question)| late(question))
            .map(|(ticket, _)| *ticket)
            .collect();
        tickets
            .into_iter()
            .flat_map(|ticket| self.answer(ticket, Verdict::Unavailable, Duration::ZERO, now))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn one_question_for_all_who_wait() {
        let (mut tokens, now) = (Tokens::new(Duration::from_secs(5)), Instant::now());
        assert_eq!(tokens.judge("a", 1, now), Judged::Waiting(Some(1)));
        assert_eq!(tokens.judge("a", 2, now), Judged::Waiting(None));
        assert_eq!(tokens.judge("b", 3, now), Judged::Waiting(Some(2)));
        assert_eq!(tokens.answer(1, Verdict::Allowed, MINUTE, now), [1, 2]);
        assert_eq!(
            tokens.judge("a", 4, now + MINUTE / 2),
            Judged::Now(Verdict::Allowed)
        );
        assert_eq!(tokens.judge("a", 5, now + MINUTE), Judged::Waiting(Some(3)));
        assert_eq!(tokens.answer(1, Verdict::Denied, MINUTE, now), []);
    }

    #[test]
    fn refusals_fade_and_silence_is_not_remembered() {
        let (mut tokens, now) = (Tokens::new(Duration::from_secs(5)), Instant::now());
        tokens.judge("a", 1, now);
        tokens.answer(1, Verdict::Denied, MINUTE, now);
        assert_eq!(tokens.judge("a", 2, now), Judged::Now(Verdict::Denied));
        let later = now + LONGEST_REFUSAL;
        assert_eq!(tokens.judge("a", 3, later), Judged::Waiting(Some(2)));
        assert_eq!(tokens.expired(later), []);
        assert_eq!(tokens.expired(later + Duration::from_secs(5)), [3]);
        assert_eq!(tokens.judge("a", 4, later), Judged::Waiting(Some(3)));
    }

    #[test]
    fn a_flood_of_tokens_stays_within_limits() {
        let (mut tokens, now) = (Tokens::new(Duration::from_secs(5)), Instant::now());
        for caller in 0..MOST {
            assert!(matches!(
                tokens.judge(&format!("t{caller}"), caller, now),
                Judged::Waiting(Some(_))
            ));
        }
        assert_eq!(
            tokens.judge("one more", 0, now),
            Judged::Now(Verdict::Unavailable)
        );
        for ticket in 1..=MOST as u64 {
            tokens.answer(ticket, Verdict::Denied, MINUTE, now);
        }
        tokens.judge("good", 1, now);
        tokens.answer(MOST as u64 + 1, Verdict::Allowed, MINUTE, now);
        assert_eq!(tokens.judge("good", 2, now), Judged::Now(Verdict::Allowed));
        assert!(tokens.known.len() <= MOST);
    }
}
