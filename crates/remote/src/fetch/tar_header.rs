//! One 512-byte header of a tar archive, and the records of a PAX header.

/// Size of headers, and what file data is padded to.
pub(crate) const BLOCK: usize = 512;

/// What a header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    /// Records about the next header.
    Pax,
    /// Directory, link, device, …: the letter.
    Other(u8),
}

/// A header whose checksum is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub name: String,
    pub size: u64,
    pub kind: Kind,
}

/// What a PAX header says instead of the header that follows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    pub size: Option<u64>,
    pub name: Option<String>,
}

type Result<T> = std::result::Result<T, &'static str>;

impl Header {
    pub(crate) fn parse(block: &[u8; BLOCK]) -> Result<Self> {
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                u64::from(if (148..156).contains(&at) {
                    b' '
                } else {
                    *byte
                })
            })
            .sum();
        if number(&block[148..156])? != sum {
            return Err("the checksum of a header is wrong");
        }
        // POSIX has a directory name in front of the name; GNU keeps times there.
        let prefix = match &block[257..265] {
            b"ustar\x0000" => text(&block[345..500])?,
            b"ustar  \0" => "",
            _ => return Err("a header is neither POSIX nor GNU tar"),
        };
        let name = text(&block[..100])?;
        let name = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}/{name}")
        };
        let kind = match block[156] {
            b'0' | 0 => Kind::File,
            b'x' => Kind::Pax,
            letter => Kind::Other(letter),
        };
        Ok(Self {
            name,
            size: number(&block[124..136])?,
            kind,
        })
    }
}

fn text(field: &[u8]) -> Result<&str> {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    std::str::from_utf8(&field[..end]).map_err(|_| "a name is not UTF-8")
}

/// Octal digits between blanks, or GNU's base-256 when the top bit is set.
fn number(field: &[u8]) -> Result<u64> {
    const BAD: &str = "a number in a header cannot be read";
    // Eight bytes could not hold it beside the mark; 0x80 is positive, 0xff negative.
    if field[0] & 0x80 != 0 && field.len() > 8 {
        let fits = field[0] == 0x80 && field[1..field.len() - 8].iter().all(|byte| *byte == 0);
        let low: [u8; 8] = field[field.len() - 8..].try_into().map_err(|_| BAD)?;
        let value = u64::from_be_bytes(low);
        return if fits && i64::try_from(value).is_ok() {
            Ok(value)
        } else {
            Err(BAD)
        };
    }
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    let digits = std::str::from_utf8(&field[..end])
        .map_err(|_| BAD)?
        .trim_matches(' ');
    match digits {
        "" => Ok(0),
        digits if digits.starts_with('+') => Err(BAD),
        digits => u64::from_str_radix(digits, 8).map_err(|_| BAD),
    }
}

impl Pax {
    /// Reads records of the form `<length> <key>=<value>\n`; the length counts all of the record.
    pub(crate) fn parse(mut bytes: &[u8]) -> Result<Self> {
        const BAD: &str = "a PAX header cannot be read";
        let mut found = Self::default();
        while !bytes.is_empty() {
            let blank = bytes
                .iter()
                .take(21)
                .position(|byte| *byte == b' ')
                .ok_or(BAD)?;
            let digits = std::str::from_utf8(&bytes[..blank]).map_err(|_| BAD)?;
            let length =
                crate::names::decimal(digits).and_then(|length| usize::try_from(length).ok());
            let length = length
                .filter(|length| (blank + 2..=bytes.len()).contains(length))
                .ok_or(BAD)?;
            let (record, rest) = bytes.split_at(length);
            let record = record[blank + 1..].strip_suffix(b"\n").ok_or(BAD)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or(BAD)?;
            let value = std::str::from_utf8(&record[equals + 1..]);
            match &record[..equals] {
                b"size" => {
                    let size = value.ok().and_then(crate::names::decimal);
                    found.size = Some(
                        size.filter(|size| i64::try_from(*size).is_ok())
                            .ok_or(BAD)?,
                    );
                }
                b"path" => found.name = Some(value.map_err(|_| BAD)?.to_owned()),
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err("a file is stored in GNU's sparse form");
                }
                _ => {}
            }
            bytes = rest;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"00000001750\0"), Ok(1000));
        assert_eq!(number(b"    1750 \0\0\0"), Ok(1000));
        assert_eq!(number(&[0; 12]), Ok(0));
        assert_eq!(
            number(&[0x80, 0, 0, 0, 0, 0, 0, 2, 0x40, 0, 0, 0]),
            Ok(9_663_676_416)
        );
        for bad in [
            &b"00000009\0\0\0\0"[..],
            b"+1750\0\0\0\0\0\0\0",
            b"-1750\0\0\0\0\0\0\0",
            b"17 50\0\0\0\0\0\0\0",
            &[0xff; 12],
            &[0x80; 8],
            &[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(number(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn pax_records_are_counted_in_bytes() {
        let found =
            Pax::parse(b"19 size=9663676416\n14 path=p_aux\n20 mtime=1700000.25\n").unwrap();
        assert_eq!(
            found,
            Pax {
                size: Some(9_663_676_416),
                name: Some("p_aux".into())
            }
        );
        for bad in [
            &b"18 size=9663676416\n"[..],
            b"20 size=9663676416\n",
            b"size=1\n",
            b"0 \n",
            b"3 =",
            b"9 size=1",
            b"11 size=-1\n",
            b"22 GNU.sparse.major=1\n",
            b"99999999999999999999 size=1\n",
        ] {
            assert!(Pax::parse(bad).is_err(), "{bad:?}");
        }
    }
}
