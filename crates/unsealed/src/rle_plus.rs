//! RLE+ version 0, as the field's bitfields are written: 2 version bits, the first run's bit, then runs of
//! alternating bits. A run is `1` (length 1), `01` and 4 bits (up to 15), or `00` and a varint. Bits go from the least
//! significant one up; zero bytes at the end are left out.

use crate::Allocated;

/// What is wrong with a bitfield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RleError {
    /// A version this code does not know.
    Version,
    /// A run that is too long for 64 bits.
    Overflow,
}

/// Encodes the set bits.
pub fn encode(allocated: &Allocated) -> Vec<u8> {
    let ranges = allocated.ranges();
    let mut out = BitWriter::default();
    out.push(0, 2);
    out.push(
        u64::from(ranges.first().is_some_and(|first| first.start == 0)),
        1,
    );
    let mut at = 0;
    for range in ranges {
        if range.start > at {
            out.run(range.start - at);
        }
        out.run(range.end - range.start);
        at = range.end;
    }
    out.finish()
}

/// Decodes to the set bits.
pub fn decode(bytes: &[u8]) -> Result<Allocated, RleError> {
    let mut bits = BitReader { bytes, at: 0 };
    if bits.take(2) != 0 {
        return Err(RleError::Version);
    }
    let mut set = bits.take(1) == 1;
    let mut position: u64 = 0;
    let mut allocated = Allocated::none();
    while let Some(length) = bits.run()? {
        let end = position.checked_add(length).ok_or(RleError::Overflow)?;
        if set {
            allocated.insert(position..end);
        }
        position = end;
        set = !set;
    }
    Ok(allocated)
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    fn push(&mut self, value: u64, count: u32) {
        for bit in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().expect("pushed above");
            *last |= u8::from((value >> bit) & 1 == 1) << (self.used % 8);
            self.used += 1;
        }
    }

    fn run(&mut self, length: u64) {
        match length {
            1 => self.push(1, 1),
            2..16 => {
                self.push(0b10, 2);
                self.push(length, 4);
            }
            _ => {
                self.push(0, 2);
                self.varint(length);
            }
        }
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push((value & 0x7f) | 0x80, 8);
            value >>= 7;
        }
        self.push(value, 8);
    }

    fn finish(mut self) -> Vec<u8> {
        while self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        self.bytes
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl BitReader<'_> {
    /// Bits behind the end are zero, because zero bytes at the end were left out.
    fn take(&mut self, count: u32) -> u64 {
        let mut value = 0;
        for bit in 0..count {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
            value |= u64::from((byte >> (self.at % 8)) & 1) << bit;
            self.at += 1;
        }
        value
    }

    fn run(&mut self) -> Result<Option<u64>, RleError> {
        if self.at >= self.bytes.len() * 8 {
            return Ok(None);
        }
        if self.take(1) == 1 {
            return Ok(Some(1));
        }
        let length = if self.take(1) == 1 {
            self.take(4)
        } else {
            self.varint()?
        };
        // A run of nothing is what the zero bits at the end read as.
        Ok((length > 0).then_some(length))
    }

    fn varint(&mut self) -> Result<u64, RleError> {
        let mut value: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(8);
            let part = byte & 0x7f;
            if shift == 63 && part > 1 {
                return Err(RleError::Overflow);
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RleError::Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn two_ranges_of_an_8_mib_sector_take_twelve_bytes() {
        let mut allocated = Allocated::none();
        allocated.insert(0..2 * MIB);
        allocated.insert(4 * MIB..5 * MIB);
        let bytes = encode(&allocated);
        assert_eq!(bytes.len(), 12);
        assert_eq!(decode(&bytes), Ok(allocated));
    }

    #[test]
    fn refuses_an_unknown_version() {
        assert_eq!(decode(&[0b01]), Err(RleError::Version));
    }

    proptest! {
        #[test]
        fn round_trips(starts in proptest::collection::vec((0u64..1 << 40, 1u64..1 << 30), 0..20)) {
            let mut allocated = Allocated::none();
            for (start, length) in starts {
                allocated.insert(start..start + length);
            }
            prop_assert_eq!(decode(&encode(&allocated)), Ok(allocated));
        }

        #[test]
        fn never_panics_on_garbage(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
        }
    }
}
