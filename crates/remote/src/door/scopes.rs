//! What a token may do that is not good for everything.

use super::head::{Request, Target};
use crate::names::{FileType, SectorName};

/// Grants of a token, as they stand in it: `read-storage`, `read-storage:sealed`,
/// `read-storage:sealed/s-t01000-7`, `write-storage`. Others grant nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    read: Vec<Readable>,
    write: bool,
}

/// What may be read: everything, one type, or one sector file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Readable(Option<FileType>, Option<SectorName>);

impl<T: AsRef<str>> FromIterator<T> for Scopes {
    fn from_iter<I: IntoIterator<Item = T>>(grants: I) -> Self {
        let mut scopes = Self::default();
        for grant in grants {
            let grant = grant.as_ref();
            scopes.write |= grant == "write-storage";
            if let Some(path) = grant.strip_prefix("read-storage") {
                scopes.read.extend(Readable::parse(path));
            }
        }
        scopes
    }
}

impl Readable {
    fn parse(path: &str) -> Option<Self> {
        if path.is_empty() {
            return Some(Self(None, None));
        }
        let path = path.strip_prefix(':')?;
        match path.split_once('/') {
            None => Some(Self(Some(path.parse().ok()?), None)),
            Some((kind, name)) => Some(Self(Some(kind.parse().ok()?), Some(name.parse().ok()?))),
        }
    }
}

impl Scopes {
    /// Whether they allow this request.
    pub(crate) fn allow(&self, request: &Request) -> bool {
        match &request.target {
            Target::Upload(_) => self.write,
            Target::Sector { kind, name, .. } => self.read.iter().any(|Readable(one, only)| {
                one.is_none_or(|one| one == *kind) && only.is_none_or(|only| only == *name)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::head::{Reading, read};
    use super::*;

    fn allows(grants: &[&str], line: &str) -> bool {
        let scopes: Scopes = grants.iter().collect();
        match read(format!("{line} HTTP/1.1\r\n\r\n").as_bytes()) {
            Reading::Native(request) => scopes.allow(&request),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_scope_allows_what_it_names_and_nothing_else() {
        let file = "GET /remote/sealed/s-t01000-7";
        let inner = "HEAD /remote/cache/s-t01000-7/p_aux";
        let push = "POST /rpc/streams/v0/push/0c6a3c5e-5a2b-4b0e-9d8a-0123456789ab";
        for (grants, may) in [
            (&["read-storage"][..], [true, true, false]),
            (&["read-storage:sealed"], [true, false, false]),
            (&["read-storage:cache/s-t01000-7"], [false, true, false]),
            (&["read-storage:sealed/s-t01000-8"], [false; 3]),
            (
                &["read-storage:sealed/s-t01000-7", "read-storage:cache"],
                [true, true, false],
            ),
            (&["write-storage"], [false, false, true]),
            (&["delete-storage", "read", "admin"], [false; 3]),
            (
                &[
                    "read-storage:",
                    "read-storage:/",
                    "read-storagex",
                    "read-storage:fetching",
                ],
                [false; 3],
            ),
            (
                &[
                    "read-storage:sealed/",
                    "read-storage:sealed/s-t01000-7/p_aux",
                ],
                [false; 3],
            ),
            (&["write-storage:sealed"], [false; 3]),
            (&[], [false; 3]),
        ] {
            for (line, may) in [file, inner, push].into_iter().zip(may) {
                assert_eq!(allows(grants, line), may, "{grants:?}: {line}");
            }
        }
    }
}
