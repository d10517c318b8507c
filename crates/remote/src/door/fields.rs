//! The headers of a request, as far as the door heeds them.

use std::ops::ControlFlow::Continue;

use super::head::{Authorization, Conditions, Framing, Step, refuse};
use crate::names::decimal;

/// The headers that matter here.
pub(crate) struct Fields {
    pub authorization: Authorization,
    pub conditions: Conditions,
    pub body: Framing,
    pub expects_continue: bool,
    pub keep_alive: bool,
    /// Said twice, or in other than printable ASCII: no native answer.
    pub doubtful: bool,
}

impl Fields {
    pub fn collect(headers: &[httparse::Header<'_>], version: u8) -> Step<Self> {
        let mut fields = Self {
            authorization: Authorization::Absent,
            conditions: Conditions::default(),
            body: Framing::Length(0),
            expects_continue: false,
            keep_alive: version == 1,
            doubtful: false,
        };
        let (mut lengths, mut encodings) = (0, 0);
        for header in headers {
            let name = header.name.to_ascii_lowercase();
            let text = std::str::from_utf8(header.value)
                .ok()
                .filter(|text| text.is_ascii());
            match name.as_str() {
                "content-length" => {
                    lengths += 1;
                    let Some(length) = text.and_then(decimal) else {
                        return refuse(400);
                    };
                    fields.body = Framing::Length(length);
                }
                "transfer-encoding" => {
                    encodings += 1;
                    if version == 0
                        || !text.is_some_and(|text| text.eq_ignore_ascii_case("chunked"))
                    {
                        return refuse(400);
                    }
                    fields.body = Framing::Chunked;
                }
                _ => fields.note(&name, text),
            }
        }
        if lengths + encodings > 1 {
            refuse(400)
        } else {
            Continue(fields)
        }
    }

    fn note(&mut self, name: &str, text: Option<&str>) {
        let slot = match name {
            "range" => &mut self.conditions.range,
            "if-range" => &mut self.conditions.if_range,
            "if-match" => &mut self.conditions.if_match,
            "if-none-match" => &mut self.conditions.if_none_match,
            "if-modified-since" => &mut self.conditions.if_modified_since,
            "if-unmodified-since" => &mut self.conditions.if_unmodified_since,
            "authorization" => {
                self.doubtful |= self.authorization != Authorization::Absent;
                self.authorization = bearer(text);
                return;
            }
            "connection" => {
                for word in text.unwrap_or("close").split(',').map(str::trim) {
                    if word.eq_ignore_ascii_case("close") {
                        self.keep_alive = false;
                    } else if word.eq_ignore_ascii_case("keep-alive") {
                        self.keep_alive = true;
                    }
                }
                return;
            }
            "accept" => {
                let asks = |text: &str| text.contains(crate::listing::MEDIA_TYPE);
                self.conditions.accepts_listing |= text.is_some_and(asks);
                return;
            }
            "expect" => {
                self.expects_continue =
                    text.is_some_and(|text| text.eq_ignore_ascii_case("100-continue"));
                self.doubtful |= !self.expects_continue;
                return;
            }
            _ => return,
        };
        self.doubtful |= slot.is_some() || text.is_none();
        *slot = text.map(str::to_owned);
    }
}

/// The scheme's case is exact, as in lotus: `bearer` is refused.
fn bearer(text: Option<&str>) -> Authorization {
    let token = text
        .and_then(|text| text.strip_prefix("Bearer "))
        .map(str::trim);
    match token {
        Some(token) if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Authorization::Bearer(token.to_owned())
        }
        _ => Authorization::Unusable,
    }
}
