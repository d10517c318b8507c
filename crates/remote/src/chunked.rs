//! Chunked transfer coding, read strictly.

/// Most bytes of a chunk's size line or of one trailer line; CVE-2024-22019 was an unbounded one.
const MAX_LINE: usize = 256;

/// Where a chunked body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Size,
    Data(u64),
    DataEnd,
    Trailer,
    Done,
}

/// The body is not chunked coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A decoder fed with whatever arrives.
#[derive(Debug)]
pub(crate) struct Chunked {
    place: Place,
    line: Vec<u8>,
    trailers: bool,
}

/// What one call of [`Chunked::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Body bytes: this part of the input.
    Data(std::ops::Range<usize>),
    /// The input is used up.
    More,
    /// The last chunk, and what stood behind it, has been read.
    End,
}

impl Chunked {
    pub(crate) fn new() -> Self {
        Self {
            place: Place::Size,
            line: Vec::new(),
            trailers: false,
        }
    }

    /// Whether fields stood behind the last chunk.
    pub(crate) fn has_trailers(&self) -> bool {
        self.trailers
    }

    /// Whether the last chunk has been read.
    pub(crate) fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    /// Reads `input` from `*at` on, moving `*at` over what was understood.
    pub(crate) fn next(&mut self, input: &[u8], at: &mut usize) -> Result<Found, Malformed> {
        loop {
            match self.place {
                Place::Done => return Ok(Found::End),
                Place::Data(0) => self.place = Place::DataEnd,
                Place::Data(left) => {
                    let here = left.min((input.len() - *at) as u64) as usize;
                    if here == 0 {
                        return Ok(Found::More);
                    }
                    self.place = Place::Data(left - here as u64);
                    *at += here;
                    return Ok(Found::Data(*at - here..*at));
                }
                Place::Size | Place::DataEnd | Place::Trailer => {
                    if !self.take_line(input, at)? {
                        return Ok(Found::More);
                    }
                    self.place = self.after_line()?;
                    self.line.clear();
                }
            }
        }
    }

    fn take_line(&mut self, input: &[u8], at: &mut usize) -> Result<bool, Malformed> {
        while let Some(&byte) = input.get(*at) {
            *at += 1;
            if (byte == b'\n') != (self.line.last() == Some(&b'\r')) || self.line.len() > MAX_LINE {
                return Err(Malformed);
            }
            if byte == b'\n' {
                self.line.pop();
                return Ok(true);
            }
            self.line.push(byte);
        }
        Ok(false)
    }

    fn after_line(&mut self) -> Result<Place, Malformed> {
        match self.place {
            Place::DataEnd if self.line.is_empty() => Ok(Place::Size),
            Place::Trailer if self.line.is_empty() => Ok(Place::Done),
            Place::Trailer if !self.trailers => {
                self.trailers = true;
                Ok(Place::Trailer)
            }
            Place::Size => match chunk_size(&self.line)? {
                0 => Ok(Place::Trailer),
                size => Ok(Place::Data(size)),
            },
            _ => Err(Malformed),
        }
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let text = std::str::from_utf8(line).map_err(|_| Malformed)?;
    let digits = text
        .split(';')
        .next()
        .unwrap_or("")
        .trim_end_matches([' ', '\t']);
    if !(1..=16).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Malformed);
    }
    u64::from_str_radix(digits, 16).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, usize), Malformed> {
        let (mut decoder, mut body) = (Chunked::new(), Vec::new());
        for piece in pieces {
            let mut at = 0;
            loop {
                match decoder.next(piece, &mut at)? {
                    Found::Data(range) => body.extend_from_slice(&piece[range]),
                    Found::More => break,
                    Found::End => return Ok((body, true, piece.len() - at)),
                }
            }
        }
        Ok((body, false, 0))
    }

    #[test]
    fn reads_the_same_however_it_is_cut() {
        let text = b"5\r\nhello\r\n1;name=value\r\n!\r\n0\r\n\r\nNEXT";
        assert_eq!(decode(&[text]), Ok((b"hello!".to_vec(), true, 4)));
        for cut in 1..text.len() - 4 {
            let (body, done, _) = decode(&[&text[..cut], &text[cut..]]).unwrap();
            assert_eq!((body.as_slice(), done), (&b"hello!"[..], true), "{cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(decode(&bytes).unwrap().0, b"hello!");
    }

    #[test]
    fn never_ends_early() {
        let text = b"5\r\nhello\r\n0\r\n\r\n";
        for cut in 0..text.len() {
            assert!(!decode(&[&text[..cut]]).unwrap().1, "{cut}");
        }
    }

    #[test]
    fn refuses_what_could_be_read_twice() {
        for bad in [
            &b"5\nhello\r\n"[..],
            b"5\r\nhelloX\r\n",
            b"-1\r\n",
            b"0x5\r\n",
            b" 5\r\n",
            b"\r\n",
            b"11111111111111111\r\n",
            b"5\rX\r\n",
        ] {
            assert_eq!(decode(&[bad]), Err(Malformed), "{bad:?}");
        }
        let long = format!("5;{}\r\n", "x".repeat(400));
        assert_eq!(decode(&[long.as_bytes()]), Err(Malformed));
    }
}
