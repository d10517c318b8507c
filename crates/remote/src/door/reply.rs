//! Response heads, and the short answers the door gives itself.

use std::time::{SystemTime, UNIX_EPOCH};

use super::http_date;

/// A short answer, ready to be written.
#[derive(Debug)]
pub(crate) struct Reply {
    pub bytes: Vec<u8>,
    pub keep_alive: bool,
}

/// The reason phrase of every status the door sends.
fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

/// A response head; `fields` are whole header lines.
pub(crate) fn head(
    status: u16,
    fields: &[String],
    length: Option<u64>,
    keep_alive: bool,
) -> Vec<u8> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let mut text = format!(
        "HTTP/1.1 {status} {}\r\nDate: {}\r\n",
        phrase(status),
        http_date::format(now as i64)
    );
    for field in fields {
        text.push_str(field);
        text.push_str("\r\n");
    }
    if let Some(length) = length {
        text.push_str(&format!("Content-Length: {length}\r\n"));
    }
    text.push_str(if keep_alive {
        "Connection: keep-alive\r\n\r\n"
    } else {
        "Connection: close\r\n\r\n"
    });
    text.into_bytes()
}

/// A short text answer; with `head_only` the body is left out, its length still told.
pub(crate) fn text(status: u16, body: &str, head_only: bool, keep_alive: bool) -> Reply {
    let mut fields = Vec::new();
    if !body.is_empty() {
        fields.push("Content-Type: text/plain; charset=utf-8".to_owned());
    }
    if status == 503 {
        fields.push("Retry-After: 1".to_owned());
    }
    let mut bytes = head(status, &fields, Some(body.len() as u64), keep_alive);
    if !head_only {
        bytes.extend_from_slice(body.as_bytes());
    }
    Reply { bytes, keep_alive }
}

/// An answer without a body.
pub(crate) fn empty(status: u16, keep_alive: bool) -> Reply {
    text(status, "", false, keep_alive)
}

/// lotus's words to a caller that may not.
pub(crate) const NO_PERMISSION: &str = "{\"Error\":\"unauthorized: missing admin permission\"}\n";

/// A token in a URL ends up in logs and histories.
pub(crate) const TOKEN_IN_QUERY: &str = "{\"Error\":\"unauthorized: a token in the URL ends in logs; send it as \
    the header 'Authorization: Bearer <token>'\"}\n";

/// The one who knows is away.
pub(crate) const NO_VERDICT: &str = "this token cannot be checked now; try again later\n";
