//! One request on a tunnel and its answer: where they end.
//!
//! The control plane's server takes a connection for broken when a second request comes before the first
//! is answered, and what it has taken in is lost when the connection comes back from it. So it is given
//! one request at a time. Bytes are only counted here, never changed; where the count is lost, the rest
//! of the connection is the control plane's.

use super::head::{Framing, Outline};
use crate::chunked::{Chunked, Found};
use crate::names::decimal;

/// A longer answer head is not looked for the end of.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;

/// What is left of a message.
#[derive(Debug)]
enum Rest {
    Length(u64),
    Chunked(Chunked),
    /// Everything until the stream ends.
    All,
}

impl Rest {
    fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(decoder) => decoder.is_done(),
            Self::All => false,
        }
    }

    /// How many of these bytes belong to it.
    fn take(&mut self, input: &[u8]) -> usize {
        match self {
            Self::Length(left) => {
                let here = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *left -= here as u64;
                return here;
            }
            Self::Chunked(decoder) => {
                let mut at = 0;
                loop {
                    match decoder.next(input, &mut at) {
                        // Not every parser looks for fields behind the body.
                        Ok(_) if decoder.has_trailers() => break,
                        Ok(Found::Data(_)) => {}
                        Ok(Found::More | Found::End) => return at,
                        Err(_) => break,
                    }
                }
            }
            Self::All => {}
        }
        *self = Self::All;
        input.len()
    }
}

#[derive(Debug)]
enum Answer {
    /// Awaited, or its head is arriving.
    Head(Vec<u8>),
    Body(Rest),
}

/// One request and its answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    head_left: usize,
    request: Rest,
    answer: Answer,
    head_only: bool,
    /// Whether another request may follow.
    pub keep_alive: bool,
}

impl Exchange {
    /// Of a request whose head has this outline; of all that will come when it has none.
    pub fn new(outline: Option<Outline>) -> Self {
        let Some(outline) = outline else {
            return Self {
                head_left: 0,
                request: Rest::All,
                answer: Answer::Body(Rest::All),
                head_only: false,
                keep_alive: false,
            };
        };
        Self {
            head_left: outline.head_length,
            request: match outline.body {
                Framing::Length(length) => Rest::Length(length),
                Framing::Chunked => Rest::Chunked(Chunked::new()),
            },
            answer: Answer::Head(Vec::new()),
            head_only: outline.head_only,
            keep_alive: outline.keep_alive,
        }
    }

    /// How many of the bytes that follow those of the calls before belong to the request.
    pub fn request(&mut self, input: &[u8]) -> usize {
        if self.is_unread() {
            return input.len();
        }
        let head = self.head_left.min(input.len());
        self.head_left -= head;
        head + self.request.take(&input[head..])
    }

    /// Follows the answer.
    pub fn answer(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            match &mut self.answer {
                Answer::Head(head) => {
                    let before = head.len();
                    head.extend_from_slice(&input[..input.len().min(MAX_HEAD - before)]);
                    let Some(length) = self.read_head() else {
                        return;
                    };
                    input = &input[length - before..];
                }
                Answer::Body(rest) => {
                    let used = rest.take(input);
                    input = &input[used..];
                    if used == 0 {
                        // More than an answer: what this is, only the control plane knows.
                        *rest = Rest::All;
                    }
                }
            }
        }
    }

    /// The length of the head, once it is whole; of an interim one, and then the next is awaited.
    fn read_head(&mut self) -> Option<usize> {
        let Answer::Head(head) = &mut self.answer else {
            return None;
        };
        let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut fields);
        let (length, rest, closes) = match parsed.parse(head) {
            Ok(httparse::Status::Partial) if head.len() < MAX_HEAD => return None,
            Ok(httparse::Status::Complete(length)) => {
                let status = parsed.code.unwrap_or(0);
                if (100..200).contains(&status) && status != 101 {
                    *head = Vec::new();
                    return Some(length);
                }
                let bare = self.head_only || matches!(status, 204 | 304);
                let (rest, closes) = body_of(parsed.headers, bare && status != 101);
                (length, if status == 101 { Rest::All } else { rest }, closes)
            }
            _ => (head.len(), Rest::All, true),
        };
        self.keep_alive &= !closes;
        self.answer = Answer::Body(rest);
        Some(length)
    }

    /// Whether nothing is counted any more: the rest of the connection is the control plane's.
    pub fn is_unread(&self) -> bool {
        matches!(self.answer, Answer::Body(Rest::All))
    }

    /// Whether the whole request may pass.
    pub fn is_asked(&self) -> bool {
        self.head_left == 0 && self.request.is_over()
    }

    /// Whether both have ended.
    pub fn is_over(&self) -> bool {
        self.is_asked() && matches!(&self.answer, Answer::Body(rest) if rest.is_over())
    }

    /// Whether the answer has begun and lacks its end.
    pub fn is_cut(&self) -> bool {
        match &self.answer {
            Answer::Head(head) => !head.is_empty(),
            Answer::Body(Rest::All) => false,
            Answer::Body(rest) => !rest.is_over(),
        }
    }
}

/// The framing of an answer's body, and whether its sender closes the connection.
fn body_of(fields: &[httparse::Header<'_>], bare: bool) -> (Rest, bool) {
    let (mut rest, mut closes) = (Rest::All, false);
    for field in fields {
        let text = std::str::from_utf8(field.value).unwrap_or("");
        if field.name.eq_ignore_ascii_case("content-length") {
            rest = decimal(text).map_or(Rest::All, Rest::Length);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            rest = Rest::Chunked(Chunked::new());
        } else if field.name.eq_ignore_ascii_case("connection") {
            closes |= text.eq_ignore_ascii_case("close");
        }
    }
    if bare {
        rest = Rest::Length(0);
    }
    (rest, closes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(head_only: bool, body: Framing) -> Exchange {
        Exchange::new(Some(Outline {
            head_only,
            body,
            keep_alive: true,
            head_length: 4,
        }))
    }

    #[test]
    fn a_request_ends_where_it_says() {
        let mut one = exchange(false, Framing::Length(3));
        assert_eq!(one.request(b"he"), 2);
        assert_eq!(one.request(b"adab"), 4);
        assert!(!one.is_asked());
        assert_eq!(one.request(b"cnext"), 1);
        assert!(one.is_asked() && !one.is_over());
        assert_eq!(one.request(b"next"), 0);

        let mut two = exchange(false, Framing::Chunked);
        assert_eq!(two.request(b"head1\r\na\r\n0\r\n\r\nnext"), 15);
        assert!(two.is_asked());
    }

    #[test]
    fn an_answer_ends_where_it_says_however_it_is_cut() {
        for (answer, head_only) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true),
            ("HTTP/1.1 204 No Content\r\n\r\n", false),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
                false,
            ),
        ] {
            for cut in 1..answer.len() {
                let mut one = exchange(head_only, Framing::Length(0));
                one.request(b"head");
                one.answer(&answer.as_bytes()[..cut]);
                assert!(!one.is_over() && !one.is_unread(), "{answer} at {cut}");
                one.answer(&answer.as_bytes()[cut..]);
                assert!(one.is_over() && one.keep_alive, "{answer} at {cut}");
            }
        }
    }

    #[test]
    fn what_cannot_be_counted_is_left_unread() {
        for answer in [
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nuntil the end",
            "no answer at all\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore",
        ] {
            let mut one = exchange(false, Framing::Length(0));
            assert_eq!(one.request(b"head, and more"), 4);
            one.answer(answer.as_bytes());
            assert!(one.is_unread() && !one.is_over(), "{answer}");
            assert_eq!(one.request(b", and more"), 10);
        }
        let mut bad = exchange(false, Framing::Chunked);
        assert_eq!(bad.request(b"headno chunk\r\n"), 14);
        assert!(!bad.is_asked());
    }
}
