//! The `Range` header: one range, read as Go's file server reads it.

/// What a `Range` header asks of a file of known size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Everything: no range, or several (a server may ignore those).
    Whole,
    /// These bytes; `length` is at least 1.
    Part {
        /// First byte.
        start: u64,
        /// How many.
        length: u64,
    },
    /// Begins at or behind the end of the file: 416 that tells the size.
    Beyond,
    /// Not a range: 416.
    Malformed,
}

/// Reads `header` for a file of `size` bytes. An end behind the file is clamped, however large;
/// lotus's own readers ask for 18446744073709551615.
pub fn wanted(header: &str, size: u64) -> Wanted {
    let Some(set) = header.strip_prefix("bytes=") else {
        return Wanted::Malformed;
    };
    let parts: Vec<&str> = set
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    match parts[..] {
        [] => Wanted::Whole,
        [one] => single(one, size),
        _ => Wanted::Whole,
    }
}

fn single(range: &str, size: u64) -> Wanted {
    let Some((first, last)) = range.split_once('-') else {
        return Wanted::Malformed;
    };
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        return match crate::names::decimal(last) {
            None => Wanted::Malformed,
            Some(_) if size == 0 => Wanted::Whole,
            Some(0) => Wanted::Beyond,
            Some(length) => Wanted::Part {
                start: size - length.min(size),
                length: length.min(size),
            },
        };
    }
    let Some(start) = crate::names::decimal(first) else {
        return Wanted::Malformed;
    };
    let end = if last.is_empty() {
        Some(u64::MAX)
    } else {
        crate::names::decimal(last)
    };
    match end {
        None => Wanted::Malformed,
        Some(end) if end < start => Wanted::Malformed,
        Some(_) if size == 0 => Wanted::Whole,
        Some(_) if start >= size => Wanted::Beyond,
        Some(end) => Wanted::Part {
            start,
            length: end.min(size - 1) - start + 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which bytes of a small file a range names, found by walking them.
    fn model(first: Option<u64>, last: Option<u64>, size: u64) -> Vec<u64> {
        match (first, last) {
            (Some(first), Some(last)) => {
                (0..size).filter(|at| *at >= first && *at <= last).collect()
            }
            (Some(first), None) => (0..size).filter(|at| *at >= first).collect(),
            (None, Some(tail)) => (size.saturating_sub(tail)..size).collect(),
            (None, None) => vec![],
        }
    }

    #[test]
    fn agrees_with_the_model_on_every_small_file() {
        let text = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        for size in 1..12 {
            for first in (0..14).map(Some).chain([None]) {
                for last in (0..14).map(Some).chain([None]) {
                    let header = format!("bytes={}-{}", text(first), text(last));
                    let bytes = model(first, last, size);
                    let expected = match (first, last) {
                        (None, None) => Wanted::Malformed,
                        (Some(f), Some(l)) if l < f => Wanted::Malformed,
                        _ if bytes.is_empty() => Wanted::Beyond,
                        _ => Wanted::Part {
                            start: bytes[0],
                            length: bytes.len() as u64,
                        },
                    };
                    assert_eq!(wanted(&header, size), expected, "{header} of {size}");
                }
            }
        }
    }

    #[test]
    fn odd_headers() {
        assert_eq!(
            wanted("bytes=0-18446744073709551615", 10),
            Wanted::Part {
                start: 0,
                length: 10
            }
        );
        assert_eq!(
            wanted("bytes=-18446744073709551615", 10),
            Wanted::Part {
                start: 0,
                length: 10
            }
        );
        assert_eq!(
            wanted("bytes=0-18446744073709551616", 10),
            Wanted::Malformed
        );
        assert_eq!(wanted("bytes=18446744073709551615-", 10), Wanted::Beyond);
        assert_eq!(wanted("bytes=0-1,3-4", 10), Wanted::Whole);
        assert_eq!(
            wanted("bytes=,2-3,", 10),
            Wanted::Part {
                start: 2,
                length: 2
            }
        );
        assert_eq!(wanted("bytes=", 10), Wanted::Whole);
        assert_eq!(wanted("bytes=0-0", 0), Wanted::Whole);
        for bad in [
            "items=0-1",
            "bytes=abc",
            "bytes=9-1",
            "bytes=--5",
            "bytes=+1-2",
            "bytes=0x1-2",
            "0-1",
            "",
        ] {
            assert_eq!(wanted(bad, 10), Wanted::Malformed, "{bad}");
        }
    }
}
