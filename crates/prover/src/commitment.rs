//! Commitments of data: the root of a binary SHA-256 tree over 32-byte nodes, each hash cut to 254 bits.

use filecoin_proofs_api::Commitment;
use sha2::{Digest, Sha256};

/// Bytes of a node.
const NODE: usize = 32;

fn parent(left: &Commitment, right: &Commitment) -> Commitment {
    let mut hash: Commitment = Sha256::new()
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into();
    hash[NODE - 1] &= 0x3f;
    hash
}

/// The commitment of `padded` zero bytes, a power of two of at least 32: known without reading any.
pub fn of_zeroes(padded: u64) -> Commitment {
    (0..(padded / NODE as u64).ilog2()).fold([0; NODE], |node, _| parent(&node, &node))
}

/// Takes padded bytes in order and keeps one node a level.
#[derive(Default)]
pub struct Tree {
    waiting: Vec<Option<Commitment>>,
}

impl Tree {
    /// Adds whole nodes.
    pub fn push(&mut self, padded: &[u8]) {
        for node in padded.chunks_exact(NODE) {
            self.add(node.try_into().expect("chunks of a node"));
        }
    }

    /// The root, once a power of two of nodes has come.
    pub fn root(&self) -> Option<Commitment> {
        let (last, below) = self.waiting.split_last()?;
        below.iter().all(Option::is_none).then_some(*last).flatten()
    }

    fn add(&mut self, mut node: Commitment) {
        for level in &mut self.waiting {
            match level.take() {
                Some(left) => node = parent(&left, &node),
                None => {
                    *level = Some(node);
                    return;
                }
            }
        }
        self.waiting.push(Some(node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroes_have_the_commitment_that_the_network_knows() {
        // The piece commitment of 2 KiB of zeroes, in every table of the field.
        assert_eq!(
            hex::encode(of_zeroes(2048)),
            "fc7e928296e516faade986b28f92d44a4f24b935485223376a799027bc18f833"
        );
    }

    #[test]
    fn a_tree_of_zeroes_is_the_shortcut() {
        let mut tree = Tree::default();
        tree.push(&[0; 1024]);
        assert_eq!(tree.root(), Some(of_zeroes(1024)));
        tree.push(&[0; 512]);
        assert_eq!(tree.root(), None);
        tree.push(&[0; 512]);
        assert_eq!(tree.root(), Some(of_zeroes(2048)));
    }
}
