//! Archives as the field's programs write them.

pub const BLOCK: usize = 512;

/// How a size over 8 GiB, or any size, is written.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// Octal digits in the header.
    Plain,
    /// A PAX header before it, and zero in the header, as Go writes large sizes.
    Pax,
    /// GNU's magic, and the size in base 256.
    Gnu,
}

pub fn header(name: &str, size: u64, kind: u8, style: Style) -> Vec<u8> {
    let mut block = vec![0u8; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[136..148].copy_from_slice(b"14700000000\0");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    if let Style::Gnu = style {
        block[257..265].copy_from_slice(b"ustar  \0");
        block[124] = 0x80;
        block[128..136].copy_from_slice(&size.to_be_bytes());
        block[345..357].copy_from_slice(b"14700000000\0");
    } else {
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    }
    sealed(block)
}

fn sealed(mut block: Vec<u8>) -> Vec<u8> {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// A PAX header with these records.
pub fn pax(records: &str) -> Vec<u8> {
    let mut bytes = header("PaxHeaders.0/x", records.len() as u64, b'x', Style::Plain);
    bytes.extend(records.bytes());
    pad(&mut bytes);
    bytes
}

/// One file with its header and padding.
pub fn file(name: &str, content: &[u8], style: Style) -> Vec<u8> {
    let mut bytes = match style {
        Style::Pax => {
            let record = format!("size={}\n", content.len());
            // The length counts its own digits and the blank.
            let length = record.len() + 3;
            [
                pax(&format!("{length} {record}")),
                header(name, 0, b'0', style),
            ]
            .concat()
        }
        _ => header(name, content.len() as u64, b'0', style),
    };
    bytes.extend(content);
    pad(&mut bytes);
    bytes
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
}

/// Entries and the two blocks of zeros behind them.
pub fn complete(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 2 * BLOCK]].concat()
}

/// The files of a small finalized cache.
pub fn cache_files() -> Vec<(&'static str, Vec<u8>)> {
    let tree = (0..9408u32)
        .flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    vec![
        ("p_aux", vec![1; 64]),
        ("sc-02-data-tree-r-last.dat", tree),
        ("t_aux", vec![2; 290]),
    ]
}

pub fn cache_entries(style: Style) -> Vec<Vec<u8>> {
    cache_files()
        .iter()
        .map(|(name, content)| file(name, content, style))
        .collect()
}
