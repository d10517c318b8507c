//! One question to a node: sent, redirected, and its answer let through only if it can be one.

use super::body::Body;
use super::connection::Connection;
use super::control::Control;
use super::failure::{Code, Failure, Result};
use super::head::{self, Framing, Head, Wish};
use super::url::Url;
use super::{Kind, Order};
use crate::listing;

/// How often a server may send us elsewhere on itself.
const MAX_REDIRECTS: usize = 5;

/// Asks on behalf of one order.
pub(crate) struct Asker<'a> {
    pub order: &'a Order,
    pub control: &'a Control,
    /// Status of the latest answer.
    pub status: Option<u16>,
}

/// The head of an answer; its body is still on the connection.
pub(crate) struct Answer<'a> {
    pub head: Head,
    connection: Connection<'a>,
    first: Vec<u8>,
}

impl<'a> Asker<'a> {
    /// Asks for what the order is about, or for one file of it. Lets through 200, and with [`Wish::From`] also what
    /// says that the rest is not to be had (206, 412, 416), whatever its body may be.
    pub(crate) fn ask(&mut self, file: Option<&str>, wish: Wish) -> Result<Answer<'a>> {
        let mut url = Url::parse(&self.order.url)?;
        if let Some(name) = file {
            url.path = format!("{}/{name}", url.path);
        }
        for _ in 0..=MAX_REDIRECTS {
            let (order, control) = (self.order, self.control);
            let mut connection = Connection::open(&url.origin, control, order.progress_timeout)?;
            let request = head::request(&url, order.token.as_deref(), wish)?;
            connection.send(request.as_bytes())?;
            let (head, first) = head::receive_head(&mut connection)?;
            self.status = Some(head.status);
            match (head.status, &head.location) {
                (301 | 302 | 303 | 307 | 308, Some(location)) => url = url.redirected(location)?,
                _ => {
                    check_status(&head, wish, connection.peer())?;
                    return Ok(Answer {
                        head,
                        connection,
                        first,
                    });
                }
            }
        }
        Err(Failure::new(
            Code::Network,
            format!("{}: more than {MAX_REDIRECTS} redirects", url.origin),
        ))
    }
}

impl<'a> Answer<'a> {
    /// The list of files, from a node of ours that was asked for it.
    pub(crate) fn is_listing(&self) -> bool {
        self.head.media_type == listing::MEDIA_TYPE
    }

    /// The whole content of a file or archive, if that is what the answer says it is.
    pub(crate) fn content(self, asker: &Asker<'a>, kind: Kind) -> Result<Body<'a>> {
        check_content(
            &self.head,
            kind,
            asker.order.token.is_some(),
            self.connection.peer(),
        )?;
        self.body(asker)
    }

    /// The body, whatever it is.
    pub(crate) fn body(self, asker: &Asker<'a>) -> Result<Body<'a>> {
        let shared = (asker.control, &*asker.order.limits);
        Body::new(self.connection, shared, self.head.framing, self.first)
    }

    pub(crate) fn peer(&self) -> &str {
        self.connection.peer()
    }
}

fn check_status(head: &Head, wish: Wish, peer: &str) -> Result<()> {
    let (code, why) = match head.status {
        200 => return Ok(()),
        206 | 412 | 416 if matches!(wish, Wish::From(..)) => return Ok(()),
        401 | 403 => (
            Code::Unauthorized,
            "the token was refused, or the node cannot reach its miner to ask about it",
        ),
        404 | 500 => (Code::NotHere, "it does not hold this, or could not read it"),
        503 => (
            Code::Network,
            "it is busy or cannot check the token now; try again later",
        ),
        _ => (Code::Network, "an answer that no storage node gives here"),
    };
    Err(Failure::new(
        code,
        format!("{peer}: HTTP status {}: {why}", head.status),
    ))
}

fn check_content(head: &Head, kind: Kind, from_node: bool, peer: &str) -> Result<()> {
    if let Some(coding) = &head.coding {
        let detail = format!(
            "{peer}: the answer is coded as '{}', which was not asked for",
            coding.escape_debug()
        );
        return Err(Failure::new(Code::Network, detail));
    }
    if !kind.allows(&head.media_type, from_node) {
        let (got, wanted) = (head.media_type.escape_debug(), kind.media_type());
        let detail =
            format!("{peer}: the answer has the content type '{got}' instead of '{wanted}'");
        return Err(Failure::new(Code::Network, detail));
    }
    if head.framing == Framing::Length(0) {
        let detail = format!("{peer}: the answer is empty");
        return Err(Failure::new(Code::Incomplete, detail));
    }
    Ok(())
}
