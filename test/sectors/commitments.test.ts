import test from 'ava'
import {
  base64OfHex,
  hexOfBase64,
  sealedCid,
  sealedCommitment,
  unsealedCid,
  unsealedCommitment,
} from '../../src/sectors/commitments.ts'

/** comm_d of an empty 32 GiB sector: public knowledge of every node on mainnet. */
const ZERO_32_GIB = '077e5fde35c50a9303a55009e3498a4ebedff39c42b710b730d8ec7ac7afa63e'
const ZERO_32_GIB_CID = 'baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq'

test('comm_d is written as the network writes it', (t) => {
  t.deepEqual(unsealedCid(ZERO_32_GIB), { '/': ZERO_32_GIB_CID })
  t.is(unsealedCommitment({ '/': ZERO_32_GIB_CID }), ZERO_32_GIB)
})

test('comm_r has its own codec and hash', (t) => {
  const cid = sealedCid(ZERO_32_GIB)
  t.true(cid['/'].startsWith('bagboea4b5abc'))
  t.is(sealedCommitment(cid), ZERO_32_GIB)
})

test('one kind is not taken for the other, nor anything else for either', (t) => {
  t.throws(() => sealedCommitment(unsealedCid(ZERO_32_GIB)), { code: 'BAD_COMMITMENT' })
  t.throws(() => unsealedCommitment(sealedCid(ZERO_32_GIB)), { code: 'BAD_COMMITMENT' })
  t.throws(() => unsealedCommitment({ '/': 'bafkqaaa' }), { code: 'BAD_COMMITMENT' })
  t.throws(() => unsealedCommitment({ '/': 'not a cid' }), { code: 'BAD_COMMITMENT' })
  t.throws(() => unsealedCid('abc'), { code: 'BAD_COMMITMENT' })
})

test('tickets go to base64 and back; a short one is refused', (t) => {
  t.is(hexOfBase64(base64OfHex(ZERO_32_GIB)), ZERO_32_GIB)
  t.throws(() => hexOfBase64('AAAA'), { code: 'BAD_COMMITMENT' })
})
