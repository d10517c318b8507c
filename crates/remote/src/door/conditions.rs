//! What conditional headers make of a request, in the order of RFC 9110 13.2.2.

use super::head::Conditions;
use super::http_date;
use super::range::{Wanted, wanted};

/// How to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200.
    Whole,
    /// 206, `length` ≥ 1.
    Part { start: u64, length: u64 },
    /// 304.
    NotModified,
    /// 412.
    PreconditionFailed,
    /// 416, telling the size when the range was well formed.
    Unsatisfiable { tell_size: bool },
}

/// Decides for something of `size` bytes with this validator and second of last change.
/// Without `ranges` (an archive) a range is ignored.
pub(crate) fn decide(
    asked: &Conditions,
    etag: &str,
    modified: i64,
    size: u64,
    ranges: bool,
) -> Answer {
    match (&asked.if_match, &asked.if_unmodified_since) {
        (Some(tags), _) if !matches(tags, etag, true) => return Answer::PreconditionFailed,
        (None, Some(date)) if http_date::parse(date).is_some_and(|date| modified > date) => {
            return Answer::PreconditionFailed;
        }
        _ => {}
    }
    match (&asked.if_none_match, &asked.if_modified_since) {
        (Some(tags), _) if matches(tags, etag, false) => return Answer::NotModified,
        (None, Some(date)) if http_date::parse(date).is_some_and(|date| modified <= date) => {
            return Answer::NotModified;
        }
        _ => {}
    }
    let range = asked
        .range
        .as_deref()
        .filter(|_| ranges && still_the_same(asked, etag, modified));
    match range.map_or(Wanted::Whole, |range| wanted(range, size)) {
        Wanted::Whole => Answer::Whole,
        Wanted::Part { start, length } => Answer::Part { start, length },
        Wanted::Beyond => Answer::Unsatisfiable { tell_size: true },
        Wanted::Malformed => Answer::Unsatisfiable { tell_size: false },
    }
}

/// `If-Range`: a strong validator equal to ours, or exactly our date.
fn still_the_same(asked: &Conditions, etag: &str, modified: i64) -> bool {
    match asked.if_range.as_deref() {
        None => true,
        Some(tag) if tag.starts_with('"') => tag == etag,
        Some(date) => http_date::parse(date) == Some(modified),
    }
}

fn matches(tags: &str, etag: &str, strong: bool) -> bool {
    tags.trim() == "*"
        || tags.split(',').map(str::trim).any(|tag| {
            tag == etag || (!strong && tag.strip_prefix("W/").is_some_and(|weak| weak == etag))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAG: &str = "\"a-1\"";
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const OLDER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const MODIFIED: i64 = 784_111_777;

    fn answer(headers: &[(&str, &str)]) -> Answer {
        let mut asked = Conditions::default();
        for (name, value) in headers {
            let slot = match *name {
                "range" => &mut asked.range,
                "if-range" => &mut asked.if_range,
                "if-match" => &mut asked.if_match,
                "if-none-match" => &mut asked.if_none_match,
                "if-modified-since" => &mut asked.if_modified_since,
                _ => &mut asked.if_unmodified_since,
            };
            *slot = Some((*value).to_owned());
        }
        decide(&asked, ETAG, MODIFIED, 100, true)
    }

    #[test]
    fn the_table() {
        use Answer::{NotModified, Part, PreconditionFailed, Unsatisfiable, Whole};
        let part = Part {
            start: 0,
            length: 10,
        };
        let range = ("range", "bytes=0-9");
        for (headers, expected) in [
            (vec![], Whole),
            (vec![range], part),
            (vec![range, ("if-range", ETAG)], part),
            (vec![range, ("if-range", "W/\"a-1\"")], Whole),
            (vec![range, ("if-range", "\"b\"")], Whole),
            (vec![range, ("if-range", SAME)], part),
            (vec![range, ("if-range", OLDER)], Whole),
            (
                vec![("range", "bytes=100-")],
                Unsatisfiable { tell_size: true },
            ),
            (
                vec![("range", "items=0-1")],
                Unsatisfiable { tell_size: false },
            ),
            (vec![("if-match", "\"x\", \"a-1\"")], Whole),
            (vec![("if-match", "W/\"a-1\"")], PreconditionFailed),
            (vec![("if-match", "\"x\"")], PreconditionFailed),
            (vec![("if-match", "*")], Whole),
            (vec![("if-none-match", "*")], NotModified),
            (vec![("if-none-match", "W/\"a-1\"")], NotModified),
            (
                vec![("if-none-match", "\"x\""), ("if-modified-since", SAME)],
                Whole,
            ),
            (vec![("if-modified-since", SAME)], NotModified),
            (vec![("if-modified-since", OLDER)], Whole),
            (vec![("if-modified-since", "yesterday")], Whole),
            (vec![("if-unmodified-since", OLDER)], PreconditionFailed),
            (vec![("if-unmodified-since", SAME)], Whole),
        ] {
            assert_eq!(answer(&headers), expected, "{headers:?}");
        }
    }
}
