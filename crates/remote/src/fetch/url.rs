//! `http://host:port/path`, read strictly, and where a redirect may lead.

use std::fmt;
use std::net::Ipv6Addr;

use super::failure::{Code, Failure, Result};

/// Longest URL that is sent.
const MAX_URL: usize = 2048;

/// The one server that gets the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Name or address, in small letters, IPv6 without brackets.
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

/// A URL in the parts a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub origin: Origin,
    /// Path and query.
    pub path: String,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if has_prefix(text, "https://") {
            let why = "https is not supported between sealing hosts; give the http:// address of the node, \
                       or put the network between them into a tunnel";
            return Err(refused(text, why));
        }
        if !has_prefix(text, "http://") {
            return Err(refused(text, "not a URL of the form http://host:port/path"));
        }
        if text.len() > MAX_URL || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused(
                text,
                "too long, or with blanks or letters that no URL has",
            ));
        }
        let rest = text["http://".len()..].split('#').next().unwrap_or("");
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let origin = parse_authority(authority)
            .ok_or_else(|| refused(text, "host or port cannot be read"))?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            origin,
            path: format!("{slash}{path}"),
        })
    }

    /// Where a `Location` leads. Only the same host and port may be meant: the token is for them alone.
    pub(crate) fn redirected(&self, location: &str) -> Result<Self> {
        let absolute = if location.contains("://") {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("http:{location}")
        } else if location.starts_with('/') {
            format!("http://{}{location}", self.origin)
        } else {
            let path = self.path.split('?').next().unwrap_or("/");
            let kept = if location.starts_with('?') {
                path.len()
            } else {
                path.rfind('/').map_or(0, |at| at + 1)
            };
            format!("http://{}{}{location}", self.origin, &path[..kept])
        };
        let next = Self::parse(&absolute)?;
        if next.origin == self.origin {
            return Ok(next);
        }
        Err(refused(
            &absolute,
            "a redirect to another host; the token is never sent there",
        ))
    }
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// A query may hold a token, so it never gets into a message.
fn refused(text: &str, why: &str) -> Failure {
    let shown: String = text
        .split(['?', '#'])
        .next()
        .unwrap_or("")
        .chars()
        .take(200)
        .collect();
    Failure::new(Code::Network, format!("{}: {why}", shown.escape_debug()))
}

fn parse_authority(text: &str) -> Option<Origin> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host.parse::<Ipv6Addr>().ok()?.to_string(), port)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            (text[..end].to_ascii_lowercase(), &text[end..])
        }
    };
    let letters = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte));
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => 80,
        None => return None,
        Some(digits) => crate::names::decimal(digits).and_then(|port| u16::try_from(port).ok())?,
    };
    (letters && !host.is_empty() && port != 0).then_some(Origin { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, u16, String)> {
        Url::parse(text)
            .ok()
            .map(|url| (url.origin.host, url.origin.port, url.path))
    }

    #[test]
    fn names_and_addresses_are_read() {
        let found = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
        assert_eq!(
            parts("http://Store-1:3456/remote/x?y"),
            found("store-1", 3456, "/remote/x?y")
        );
        assert_eq!(parts("http://10.0.0.1"), found("10.0.0.1", 80, "/"));
        assert_eq!(parts("http://[::1]:2345/a"), found("::1", 2345, "/a"));
        assert_eq!(parts("http://host?q#part"), found("host", 80, "/?q"));
    }

    #[test]
    fn what_is_not_plain_is_refused() {
        for bad in [
            "https://host/a",
            "HTTPS://host/a",
            "ftp://host/",
            "host:80/a",
            "http://",
            "http:///a",
            "http://user:secret@host/a",
            "http://host:0/",
            "http://host:65536/",
            "http://host:8x/",
            "http://[::1/",
            "http://[::1]x/",
            "http://[fe80::1%eth0]/",
            "http://ho st/",
            "http://host/a\r\nX: y",
            "http://host/ä",
            "",
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
        let failure = Url::parse("https://host/a?token=secret").unwrap_err();
        assert!(
            failure.detail.contains("https is not supported"),
            "{failure}"
        );
        assert!(!failure.detail.contains("secret"), "{failure}");
    }

    #[test]
    fn a_redirect_stays_where_the_token_belongs() {
        let base = Url::parse("http://host:80/remote/sealed/s-t01-1?x").unwrap();
        let path = |location: &str| base.redirected(location).map(|url| url.path).ok();
        assert_eq!(path("/other"), Some("/other".into()));
        assert_eq!(path("http://HOST/other"), Some("/other".into()));
        assert_eq!(path("//host/other"), Some("/other".into()));
        assert_eq!(path("s-t01-2"), Some("/remote/sealed/s-t01-2".into()));
        assert_eq!(path("?again"), Some("/remote/sealed/s-t01-1?again".into()));
        for elsewhere in [
            "http://host:81/other",
            "http://evil/",
            "//evil/x",
            "https://host/other",
            "ftp://host/",
        ] {
            assert_eq!(path(elsewhere), None, "{elsewhere}");
        }
    }
}
