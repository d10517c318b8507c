//! What requests name by text: proofs, commitments, miners.

use filecoin_proofs_api::{
    Commitment, ProverId, RegisteredPoStProof, RegisteredSealProof, SectorId,
};
use serde::{Deserialize, Deserializer};

use crate::failure::Failure;

/// 32 bytes as 64 hexadecimal digits: a commitment, a ticket, a seed.
#[derive(Clone, Copy, Debug)]
pub struct Hex32(pub [u8; 32]);

impl<'de> Deserialize<'de> for Hex32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| {
            serde::de::Error::custom(format!("'{text}' is not 64 hexadecimal digits"))
        })?;
        Ok(Self(bytes))
    }
}

/// A commitment as answers write it.
pub fn hex32(commitment: Commitment) -> String {
    hex::encode(commitment)
}

/// The miner actor's address payload, an unsigned LEB128, filled up with zeroes to 32 bytes.
pub fn prover_id(miner: u64) -> ProverId {
    let mut id = [0; 32];
    let mut rest = miner;
    for byte in &mut id {
        *byte = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            break;
        }
        *byte |= 0x80;
    }
    id
}

/// Which sector a task works on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sector {
    pub proof: RegisteredSealProof,
    miner: u64,
    number: u64,
}

impl Sector {
    pub fn bytes(self) -> u64 {
        sector_bytes(self.proof)
    }

    pub fn prover_id(self) -> ProverId {
        prover_id(self.miner)
    }

    pub fn id(self) -> SectorId {
        SectorId::from(self.number)
    }
}

/// Bytes of a sector of this proof.
pub fn sector_bytes(proof: RegisteredSealProof) -> u64 {
    u64::from(proof.sector_size())
}

/// Which proof of spacetime.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PostKind {
    Window,
    Winning,
}

/// The PoSt proof that goes with a sector size; window proofs are of version 1.2, what the network takes today.
pub fn post_proof(
    kind: PostKind,
    seal: RegisteredSealProof,
) -> Result<RegisteredPoStProof, Failure> {
    use RegisteredPoStProof::{
        StackedDrgWindow2KiBV1_2, StackedDrgWindow8MiBV1_2, StackedDrgWindow32GiBV1_2,
        StackedDrgWindow64GiBV1_2, StackedDrgWindow512MiBV1_2, StackedDrgWinning2KiBV1,
        StackedDrgWinning8MiBV1, StackedDrgWinning32GiBV1, StackedDrgWinning64GiBV1,
        StackedDrgWinning512MiBV1,
    };
    let (window, winning) = match sector_bytes(seal) {
        2_048 => (StackedDrgWindow2KiBV1_2, StackedDrgWinning2KiBV1),
        8_388_608 => (StackedDrgWindow8MiBV1_2, StackedDrgWinning8MiBV1),
        536_870_912 => (StackedDrgWindow512MiBV1_2, StackedDrgWinning512MiBV1),
        34_359_738_368 => (StackedDrgWindow32GiBV1_2, StackedDrgWinning32GiBV1),
        68_719_476_736 => (StackedDrgWindow64GiBV1_2, StackedDrgWinning64GiBV1),
        other => {
            return Err(Failure::bad_request(format!(
                "no proof of spacetime for sectors of {other} bytes"
            )));
        }
    };
    Ok(match kind {
        PostKind::Window => window,
        PostKind::Winning => winning,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miner_becomes_its_address_payload() {
        assert_eq!(prover_id(1005)[..3], [0xed, 0x07, 0]);
        assert_eq!(prover_id(127)[..2], [0x7f, 0]);
    }
}
