//! Reads a request head and decides: handled here, refused, or tunnelled.
//!
//! The door serves only what it is sure of. Whatever two parsers could read differently is refused,
//! and the connection closed; whatever is plainly not ours goes to the control plane unread.

use std::ops::ControlFlow::{self, Break, Continue};

use super::fields::Fields;
use crate::names::{FileType, SectorName};

/// A head longer than this is refused with 431.
pub const MAX_HEAD: usize = 8 * 1024;
const MAX_HEADERS: usize = 64;
const MAX_URL: usize = 1024;
const PUSH: &str = "/rpc/streams/v0/push/";

/// What the bytes received so far are.
#[derive(Debug)]
pub enum Reading {
    /// The head is not complete.
    More,
    /// Not ours: tunnelled. Without an outline the rest of the connection is, unread.
    Tunnel(Option<Outline>),
    /// Answered with this status and closed.
    Refuse(u16),
    /// Handled here.
    Native(Box<Request>),
}

/// The methods handled here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Head and body.
    Get,
    /// Head alone.
    Head,
    /// A pushed body (POST or PUT).
    Push,
}

/// What a request handled here is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `/remote/<type>/<name>`, or one file of that directory.
    Sector {
        /// The type in the URL.
        kind: FileType,
        /// The sector.
        name: SectorName,
        /// A file of the directory.
        inner: Option<String>,
    },
    /// `/rpc/streams/v0/push/<uuid>`, the UUID in lower case.
    Upload(String),
}

/// The `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// No such header.
    Absent,
    /// `Bearer <token>`.
    Bearer(String),
    /// Anything else.
    Unusable,
}

/// How a request's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// This many bytes.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Conditional headers, as text.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    pub range: Option<String>,
    pub if_range: Option<String>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<String>,
    pub if_unmodified_since: Option<String>,
    /// A directory's list of files is understood instead of its archive, as only nodes of ours do.
    pub accepts_listing: bool,
}

/// How long a request is that goes to the control plane.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    /// Its answer has no body.
    pub head_only: bool,
    pub body: Framing,
    pub keep_alive: bool,
    /// Bytes the head takes.
    pub head_length: usize,
}

/// A request that is handled here.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub target: Target,
    pub authorization: Authorization,
    /// `?token=` stood in the URL.
    pub token_in_query: bool,
    pub conditions: Conditions,
    pub body: Framing,
    pub expects_continue: bool,
    pub keep_alive: bool,
    /// Bytes the head took.
    pub head_length: usize,
}

impl Request {
    /// For a request that goes to the control plane all the same.
    pub fn outline(&self) -> Outline {
        Outline {
            head_only: self.method == Method::Head,
            body: self.body,
            keep_alive: self.keep_alive,
            head_length: self.head_length,
        }
    }
}

/// Reads what has arrived on a connection between two requests.
pub fn read(bytes: &[u8]) -> Reading {
    match try_read(bytes) {
        Continue(request) => Reading::Native(request),
        Break(other) => other,
    }
}

pub(crate) type Step<T> = ControlFlow<Reading, T>;

pub(crate) fn refuse<T>(status: u16) -> Step<T> {
    Break(Reading::Refuse(status))
}

fn try_read(bytes: &[u8]) -> Step<Box<Request>> {
    match bytes.first() {
        None => return Break(Reading::More),
        // An empty line first: httparse would skip it, the parser behind the tunnel does not.
        Some(b'\r' | b'\n') => return Break(Reading::Tunnel(None)),
        Some(_) => {}
    }
    let head = complete_head(bytes)?;
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return refuse(431),
        _ => return refuse(400),
    }
    let (Some(method), Some(url), Some(version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return refuse(400);
    };
    if method == "CONNECT" {
        return refuse(405);
    }
    if url.len() > MAX_URL {
        return refuse(414);
    }
    let fields = Fields::collect(parsed.headers, version)?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let Some((method, target)) = route(method, path) else {
        return Break(Reading::Tunnel(Some(Outline {
            head_only: method == "HEAD",
            body: fields.body,
            keep_alive: fields.keep_alive,
            head_length: head.len(),
        })));
    };
    if fields.doubtful || (method != Method::Push && fields.body != Framing::Length(0)) {
        return refuse(400);
    }
    Continue(Box::new(Request {
        method,
        target,
        authorization: fields.authorization,
        token_in_query: query
            .split('&')
            .any(|pair| pair == "token" || pair.starts_with("token=")),
        conditions: fields.conditions,
        body: fields.body,
        expects_continue: fields.expects_continue,
        keep_alive: fields.keep_alive,
        head_length: head.len(),
    }))
}

/// The head up to and with its empty line. Lines end in CR LF, nothing else: httparse would take a
/// bare LF, and two parsers that differ on line ends differ on where requests end.
fn complete_head(bytes: &[u8]) -> Step<&[u8]> {
    let mut previous = 0;
    for (at, &byte) in bytes.iter().enumerate().take(MAX_HEAD) {
        if byte == 0 || (byte == b'\n') != (previous == b'\r') {
            return refuse(400);
        }
        if byte == b'\n' && bytes[..=at].ends_with(b"\r\n\r\n") {
            return Continue(&bytes[..=at]);
        }
        previous = byte;
    }
    if bytes.len() >= MAX_HEAD {
        refuse(431)
    } else {
        Break(Reading::More)
    }
}

fn route(method: &str, path: &str) -> Option<(Method, Target)> {
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" | "PUT" => Method::Push,
        _ => return None,
    };
    if let Some(uuid) = path.strip_prefix(PUSH) {
        return (method != Method::Get && is_uuid(uuid))
            .then(|| (method, Target::Upload(uuid.to_ascii_lowercase())));
    }
    if method == Method::Push {
        return None;
    }
    let mut words = path.strip_prefix("/remote/")?.split('/');
    let kind = words.next()?.parse().ok()?;
    let name = words.next()?.parse().ok()?;
    let inner = words.next();
    let plain = |file: &str| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        !file.is_empty() && file.bytes().all(word) && !file.starts_with('.')
    };
    let fits = words.next().is_none() && inner.is_none_or(plain);
    fits.then(|| {
        (
            method,
            Target::Sector {
                kind,
                name,
                inner: inner.map(str::to_owned),
            },
        )
    })
}

/// Whether this is a UUID in its usual form, hexadecimal digits in groups of 8-4-4-4-12.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEALED: &str = "GET /remote/sealed/s-t01000-7 HTTP/1.1\r\nHost: a\r\n";

    fn verdict(text: &str) -> String {
        match read(text.as_bytes()) {
            Reading::Native(request) => format!("native {:?}", request.target),
            Reading::Refuse(status) => format!("refuse {status}"),
            Reading::Tunnel(_) => "tunnel".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    #[test]
    fn a_sector_file_is_recognized_only_in_its_plain_form() {
        assert!(verdict(&format!("{SEALED}\r\n")).starts_with("native Sector"));
        for path in [
            "/remote/sealed/s-t01000-7/",
            "/remote//sealed/s-t01000-7",
            "/remote/sealed/../sealed/s-t01000-7",
            "/remote/sealed/s-t01000-%37",
            "/remote/sealed/s-t01000-7%00",
            "/remote/sealed/s-t01000-7\\x",
            "/remote/stat/s-t01000-7",
            "/remote/fetching/s-t01000-7",
            "/remote/sealed/s-t01000-18446744073709551616",
            "/remote/cache/s-t01000-7/..",
            "/remote/cache/s-t01000-7/a/b",
            "/remote/unsealed/s-t01000-7/6/allocated/0/127",
            "/rpc/streams/v0/push/not-a-uuid",
            "http://a/remote/sealed/s-t01000-7",
            "/",
            "*",
        ] {
            assert_eq!(
                verdict(&format!("GET {path} HTTP/1.1\r\n\r\n")),
                "tunnel",
                "{path}"
            );
        }
        for method in ["DELETE", "POST", "PUT", "OPTIONS", "get"] {
            let text = format!("{method} /remote/sealed/s-t01000-7 HTTP/1.1\r\n\r\n");
            assert_eq!(verdict(&text), "tunnel", "{method}");
        }
    }

    #[test]
    fn smuggling_is_refused() {
        for lines in [
            "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 0\r\nContent-Length: 0\r\n",
            "Content-Length: +0\r\n",
            "Content-Length: 0, 0\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Content-Length : 0\r\n",
            "X: a\r\n b\r\n",
            "X: a\nY: b\r\n",
            "X: a\rY: b\r\n",
            "X: a\0b\r\n",
            ": a\r\n",
            "Range: bytes=0-1\r\nRange: bytes=2-3\r\n",
            "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        ] {
            assert_eq!(
                verdict(&format!("{SEALED}{lines}\r\n")),
                "refuse 400",
                "{lines:?}"
            );
        }
        assert_eq!(verdict("\r\nGET / HTTP/1.1\r\n\r\n"), "tunnel");
        assert_eq!(verdict("CONNECT a:1 HTTP/1.1\r\n\r\n"), "refuse 405");
        assert_eq!(
            verdict("PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\n\r\n"),
            "refuse 400"
        );
        assert_eq!(verdict("POST /rpc/v0 HTTP/1.1\nHost: a\n\n"), "refuse 400");
    }

    #[test]
    fn head_bombs_are_refused() {
        assert_eq!(
            verdict(&format!("{SEALED}{}", "X: y\r\n".repeat(80) + "\r\n")),
            "refuse 431"
        );
        assert_eq!(
            verdict(&format!("{SEALED}X: {}", "y".repeat(MAX_HEAD))),
            "refuse 431"
        );
        assert_eq!(
            verdict(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(MAX_URL))),
            "refuse 414"
        );
    }

    #[test]
    fn every_prefix_asks_for_more() {
        let text = format!("{SEALED}Authorization: Bearer t\r\n\r\n");
        for end in 0..text.len() {
            assert_eq!(verdict(&text[..end]), "more", "{end}");
        }
    }

    #[test]
    fn what_matters_is_read() {
        let text = "HEAD /remote/cache/s-t01000-7/p_aux?a=b&token=x HTTP/1.0\r\nConnection: keep-alive\r\nRange: bytes=1-2\r\nAuthorization: bearer x\r\n\r\nGET";
        let Reading::Native(request) = read(text.as_bytes()) else {
            panic!("not native")
        };
        assert_eq!(request.method, Method::Head);
        assert!(request.token_in_query && request.keep_alive);
        assert_eq!(request.authorization, Authorization::Unusable);
        assert_eq!(request.conditions.range.as_deref(), Some("bytes=1-2"));
        assert_eq!(request.head_length, text.len() - 3);

        let push = "POST /rpc/streams/v0/push/0C6A3C5E-5A2B-4B0E-9D8A-0123456789AB HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
        let Reading::Native(request) = read(push.as_bytes()) else {
            panic!("not native")
        };
        assert_eq!(
            request.target,
            Target::Upload("0c6a3c5e-5a2b-4b0e-9d8a-0123456789ab".into())
        );
        assert_eq!(
            (request.body, request.expects_continue),
            (Framing::Chunked, true)
        );
    }
}
