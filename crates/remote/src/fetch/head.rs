//! The request, and the head of the answer read strictly.

use super::connection::Connection;
use super::failure::{Code, Failure, Result};
use super::url::Url;

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
    /// A coding other than `identity`; none was asked for.
    pub coding: Option<String>,
}

/// The request, in the order the field sends it. Without gzip: sector data does not compress.
pub(crate) fn request(url: &Url, token: Option<&str>) -> Result<String> {
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
        let text = request(&url, Some("a.b.c")).unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], "GET /remote/cache/s-t01-1 HTTP/1.1");
        assert_eq!(lines[1], "Host: [::1]:2345");
        assert_eq!(lines[3], "Authorization: Bearer a.b.c");
        assert!(!text.contains("gzip"));
        assert!(!request(&url, None).unwrap().contains("Authorization"));
        for bad in ["", "a b", "a\r\nX: y"] {
            assert_eq!(
                request(&url, Some(bad)).unwrap_err().code,
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
}
