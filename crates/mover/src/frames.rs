//! Framing of the journal: length, CRC-32C, payload. Tells a torn tail from damage in the middle.

/// First bytes of a journal; the last one is its version.
pub(crate) const MAGIC: &[u8; 8] = b"SYMOVES1";
/// A longer record cannot be ours: a cache directory has some dozen files.
const LONGEST: usize = 1 << 20;
const HEADER: usize = 8;

const fn crc_table() -> [u32; 256] {
    let mut table = [0u32; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

static TABLE: [u32; 256] = crc_table();

/// CRC-32C (Castagnoli) over the parts one after the other.
fn crc32c(parts: [&[u8]; 2]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8);
    !parts.into_iter().flatten().fold(!0, step)
}

/// Bytes of one frame. The length is under the checksum too.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    assert!(
        payload.len() <= LONGEST,
        "a record of {} bytes",
        payload.len()
    );
    let length = (payload.len() as u32).to_le_bytes();
    let crc = crc32c([&length, payload]).to_le_bytes();
    [&length[..], &crc, payload].concat()
}

/// Payload of the frame at the start of `bytes`, None if it is torn or damaged.
fn first_frame(bytes: &[u8]) -> Option<&[u8]> {
    let length: [u8; 4] = bytes.get(0..4)?.try_into().ok()?;
    let crc = u32::from_le_bytes(bytes.get(4..HEADER)?.try_into().ok()?);
    let size = u32::from_le_bytes(length) as usize;
    if size > LONGEST {
        return None;
    }
    let payload = bytes.get(HEADER..HEADER + size)?;
    (crc32c([&length, payload]) == crc).then_some(payload)
}

/// Payloads in order, and where good bytes end.
pub(crate) type Scan<'a> = (Vec<&'a [u8]>, usize);

/// Reads a journal's frames after its magic.
///
/// Every record is durable before the next is written, so only the last one can be torn: what
/// follows the good frames is dropped. A good frame after a bad one means damage.
/// # Errors
/// The offset of the damaged frame.
pub(crate) fn scan(bytes: &[u8]) -> Result<Scan<'_>, usize> {
    let mut payloads = Vec::new();
    let mut at = MAGIC.len();
    while let Some(payload) = first_frame(&bytes[at..]) {
        payloads.push(payload);
        at += HEADER + payload.len();
    }
    // An empty payload is never written, but eight zero bytes of a torn tail must not pass for a frame.
    let good_later = (at + 1..bytes.len())
        .any(|from| first_frame(&bytes[from..]).is_some_and(|p| !p.is_empty()));
    if good_later {
        Err(at)
    } else {
        Ok((payloads, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn journal(payloads: &[Vec<u8>]) -> Vec<u8> {
        payloads.iter().fold(MAGIC.to_vec(), |mut all, payload| {
            all.extend(frame(payload));
            all
        })
    }

    #[test]
    fn the_checksum_is_crc32c() {
        assert_eq!(crc32c([b"12345", b"6789"]), 0xe306_9283);
    }

    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 1..8)
    }

    proptest! {
        #[test]
        fn a_cut_anywhere_drops_only_the_torn_record(payloads in payloads(), cut in any::<prop::sample::Index>()) {
            let bytes = journal(&payloads);
            let cut = MAGIC.len() + cut.index(bytes.len() - MAGIC.len());
            let (found, end) = scan(&bytes[..cut]).unwrap();
            prop_assert!(end <= cut);
            prop_assert_eq!(&found[..], &payloads.iter().map(Vec::as_slice).collect::<Vec<_>>()[..found.len()]);
            let next = payloads.get(found.len()).map_or(0, |payload| HEADER + payload.len());
            prop_assert!(cut - end < next, "a whole record was dropped");
        }

        #[test]
        fn zeros_or_noise_after_the_last_record_are_dropped(payloads in payloads(), tail in 1usize..40, fill in any::<u8>()) {
            let mut bytes = journal(&payloads);
            let end = bytes.len();
            bytes.extend(std::iter::repeat_n(fill, tail));
            prop_assert_eq!(scan(&bytes).map(|(found, at)| (found.len(), at)), Ok((payloads.len(), end)));
        }

        #[test]
        fn a_changed_bit_before_the_last_record_is_found(payloads in payloads(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            prop_assume!(payloads.len() > 1);
            let mut bytes = journal(&payloads);
            let last = HEADER + payloads.last().unwrap().len();
            let at = MAGIC.len() + at.index(bytes.len() - MAGIC.len() - last);
            bytes[at] ^= 1 << bit;
            prop_assert!(scan(&bytes).is_err());
        }
    }
}
