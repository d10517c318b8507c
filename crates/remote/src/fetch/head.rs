//! The request, and the head of the answer read strictly.

use super::connection::Connection;
use super::failure::{Code, Failure, Result};
use super::url::Url;
use crate::door::http_date;
use crate::listing;

/// Largest head that is read, and most fields in it.
const MAX_HEAD: usize = 16 << 10;
const MAX_FIELDS: usize = 64;

/// How the end of the body will be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    /// Only by the close of the connection, which proves nothing.
    Close,
}

/// The parts of an answer's head that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub status: u16,
    pub framing: Framing,
    /// Media type in small letters, without parameters; empty if there was none.
    pub media_type: String,
    pub location: Option<String>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub date: Option<String>,
    pub content_range: Option<String>,
    /// A coding other than `identity`; none was asked for.
    pub coding: Option<String>,
}

/// What is asked for beside the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish<'a> {
    /// All of it.
    Whole,
    /// A directory: the list of its files, if the server is one of ours; a stranger sends its archive.
    Listing,
    /// A file from this byte on, as long as this validator of it holds.
    From(u64, &'a str),
}

impl Wish<'_> {
    fn fields(self) -> String {
        match self {
            Self::Whole => String::new(),
            Self::Listing => format!(
                "Accept: {}, application/x-tar;q=0.5\r\n",
                listing::MEDIA_TYPE
            ),
            Self::From(start, validator) => {
                format!("Range: bytes={start}-\r\nIf-Range: {validator}\r\n")
            }
        }
    }
}

impl Head {
    /// What a later request can name this very content by: a strong `ETag`, else the date of the last change.
    /// That one has seconds: a file that changed in the second of the answer could change once more in it.
    pub(crate) fn validator(&self) -> Option<&str> {
        if let Some(etag) = self.etag.as_deref().filter(|etag| etag.starts_with('"')) {
            return Some(etag);
        }
        let seconds = |field: &Option<String>| field.as_deref().and_then(http_date::parse);
        let age = seconds(&self.date)? - seconds(&self.last_modified)?;
        self.last_modified.as_deref().filter(|_| age >= 2)
    }

    /// Whether the answer can be of the content that `validator` named.
    pub(crate) fn is_of(&self, validator: &str) -> bool {
        let named = if validator.starts_with('"') {
            &self.etag
        } else {
            &self.last_modified
        };
        named.as_deref().is_none_or(|own| own == validator)
    }

    /// Whether this is exactly the rest of `total` bytes from `start` on.
    pub(crate) fn is_rest(&self, start: u64, total: u64) -> bool {
        let range = format!("bytes {start}-{}/{total}", total - 1);
        self.status == 206
            && self.content_range.as_deref() == Some(&range)
            && self.framing == Framing::Length(total - start)
            && self.coding.is_none()
    }
}

/// The request, in the order the field sends it. Without gzip: sector data does not compress.
pub(crate) fn request(url: &Url, token: Option<&str>, wish: Wish) -> Result<String> {
    let mut text = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", url.path, url.origin);
    text += concat!("User-Agent: sealyard/", env!("CARGO_PKG_VERSION"), "\r\n");
    if let Some(token) = token {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail =
                "the token is empty or holds letters that no token has; look at the token file";
            return Err(Failure::new(Code::Unauthorized, detail));
        }
        text += &format!("Authorization: Bearer {token}\r\n");
    }
    text += &wish.fields();
    Ok(text + "Accept-Encoding: identity\r\nConnection: close\r\n\r\n")
}

/// Reads the head of the final answer. @returns it, and the first bytes of the body
pub(crate) fn receive_head(connection: &mut Connection) -> Result<(Head, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = vec![0u8; 4096];
    loop {
        while let Some((head, length)) =
            parse(&bytes).map_err(|why| unusable(connection.peer(), why))?
        {
            bytes.drain(..length);
            if head.status >= 200 {
                return Ok((head, bytes));
            }
            // 100 and 103 announce the real answer; we never asked to change protocols.
            if head.status == 101 {
                return Err(unusable(
                    connection.peer(),
                    "it wants to speak another protocol",
                ));
            }
        }
        if bytes.len() > MAX_HEAD {
            return Err(unusable(
                connection.peer(),
                "the head of the answer does not end",
            ));
        }
        match connection.receive(&mut piece, 1)? {
            0 => {
                return Err(unusable(
                    connection.peer(),
                    "it closed the connection without an answer",
                ));
            }
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

fn unusable(peer: &str, why: &str) -> Failure {
    Failure::new(Code::Network, format!("{peer}: {why}"))
}

fn parse(bytes: &[u8]) -> std::result::Result<Option<(Head, usize)>, &'static str> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err("the answer is not HTTP/1.1"),
    };
    let fields: &[httparse::Header] = response.headers;
    let text = |name| single(fields, name).map(|value| value.map(str::to_owned));
    let media_type = text("content-type")?.unwrap_or_default();
    let coding =
        text("content-encoding")?.filter(|coding| !coding.eq_ignore_ascii_case("identity"));
    let head = Head {
        status: response.code.unwrap_or(0),
        framing: framing(fields, response.version)?,
        media_type: media_type
            .split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_ascii_lowercase(),
        location: text("location")?,
        etag: text("etag")?,
        last_modified: text("last-modified")?,
        date: text("date")?,
        content_range: text("content-range")?,
        coding,
    };
    Ok(Some((head, length)))
}

/// The one value of a field. Twice the same field is where two readers would disagree.
fn single<'b>(
    fields: &[httparse::Header<'b>],
    name: &str,
) -> std::result::Result<Option<&'b str>, &'static str> {
    let mut values = fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case(name));
    let first = values.next();
    if values.next().is_some() {
        return Err("the answer has the same field twice");
    }
    let text = first.map(|field| std::str::from_utf8(field.value).map(str::trim));
    text.transpose()
        .map_err(|_| "the answer has a field that is not text")
}

fn framing(
    fields: &[httparse::Header],
    version: Option<u8>,
) -> std::result::Result<Framing, &'static str> {
    match (
        single(fields, "content-length")?,
        single(fields, "transfer-encoding")?,
    ) {
        (Some(_), Some(_)) => Err("the answer has two lengths"),
        (Some(length), None) => crate::names::decimal(length)
            .map(Framing::Length)
            .ok_or("the length of the answer is no number"),
        (None, Some(coding)) if coding.eq_ignore_ascii_case("chunked") && version == Some(1) => {
            Ok(Framing::Chunked)
        }
        (None, Some(_)) => Err("the answer is framed in an unknown way"),
        (None, None) => Ok(Framing::Close),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> std::result::Result<Option<(Head, usize)>, &'static str> {
        parse(
            format!("HTTP/1.1 {lines}\r\n\r\n")
                .replace('|', "\r\n")
                .as_bytes(),
        )
    }

    #[test]
    fn the_request_is_the_fields() {
        let url = Url::parse("http://[::1]:2345/remote/cache/s-t01-1").unwrap();
        let text = request(&url, Some("a.b.c"), Wish::Whole).unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], "GET /remote/cache/s-t01-1 HTTP/1.1");
        assert_eq!(lines[1], "Host: [::1]:2345");
        assert_eq!(lines[3], "Authorization: Bearer a.b.c");
        assert!(!text.contains("gzip"));
        assert!(
            !request(&url, None, Wish::Whole)
                .unwrap()
                .contains("Authorization")
        );
        for bad in ["", "a b", "a\r\nX: y"] {
            assert_eq!(
                request(&url, Some(bad), Wish::Whole).unwrap_err().code,
                Code::Unauthorized,
                "{bad}"
            );
        }
    }

    #[test]
    fn framing_is_read_strictly() {
        let framing = |lines: &str| head(lines).map(|found| found.map(|(head, _)| head.framing));
        assert_eq!(
            framing("200 OK|Content-Length: 7"),
            Ok(Some(Framing::Length(7)))
        );
        assert_eq!(
            framing("200 OK|Transfer-Encoding: Chunked"),
            Ok(Some(Framing::Chunked))
        );
        assert_eq!(framing("200 OK|X: y"), Ok(Some(Framing::Close)));
        for bad in [
            "200 OK|Content-Length: 7|Content-Length: 7",
            "200 OK|Content-Length: 7|Transfer-Encoding: chunked",
            "200 OK|Content-Length: +7",
            "200 OK|Content-Length: 18446744073709551616",
            "200 OK|Transfer-Encoding: gzip, chunked",
            "200 OK|Content-Length : 7",
        ] {
            assert!(framing(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_media_type_loses_its_parameters() {
        let (found, _) = head("200 OK|Content-Type: Application/X-Tar; v=1|ETag: \"x\"")
            .unwrap()
            .unwrap();
        assert_eq!(found.media_type, "application/x-tar");
        assert_eq!(found.etag.as_deref(), Some("\"x\""));
    }

    fn with(fields: &str) -> Head {
        head(fields).unwrap().unwrap().0
    }

    #[test]
    fn only_what_names_the_content_is_a_validator() {
        let old = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
        let at = |seconds: u32| format!("{old}|Date: Sun, 06 Nov 1994 08:49:{seconds} GMT");
        let validator = |fields: &str| {
            with(&format!("200 OK|{fields}"))
                .validator()
                .map(str::to_owned)
        };
        assert_eq!(validator("ETag: \"x\""), Some("\"x\"".into()));
        assert_eq!(validator("ETag: W/\"x\""), None);
        assert_eq!(validator(old), None);
        assert_eq!(validator(&at(38)), None);
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT".into());
        assert_eq!(validator(&at(39)), date);
        assert_eq!(validator(&format!("ETag: W/\"x\"|{}", at(59))), date);
    }

    #[test]
    fn a_part_is_the_rest_or_nothing() {
        let part = |range: &str, length: u64| {
            with(&format!(
                "206 Partial|Content-Range: {range}|Content-Length: {length}"
            ))
        };
        assert!(part("bytes 4-9/10", 6).is_rest(4, 10));
        for other in [
            "bytes 4-8/10",
            "bytes 3-9/10",
            "bytes 4-9/*",
            "bytes 4-9/11",
            "items 4-9/10",
        ] {
            assert!(!part(other, 6).is_rest(4, 10), "{other}");
        }
        assert!(!part("bytes 4-9/10", 5).is_rest(4, 10));
        assert!(!with("200 OK|Content-Length: 6").is_rest(4, 10));
        let tagged = with("206 Partial|ETag: \"a\"");
        assert!(tagged.is_of("\"a\"") && !tagged.is_of("\"b\""));
        assert!(with("206 Partial|X: y").is_of("\"a\""));
    }
}
