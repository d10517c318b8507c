import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { openExecutor } from '../../src/proofs/open-executor.ts'
import type { SealCommitments, SealPiece } from '../../src/proofs/task-executor.ts'
import { hexOfBase64, sealedCommitment, unsealedCommitment } from '../../src/sectors/commitments.ts'
import { packPieces } from '../../src/sectors/pieces.ts'
import { sealProof, unpaddedSize } from '../../src/sectors/proof-types.ts'
import type { SectorRef } from '../../src/sectors/sector-id.ts'

/** What decides every byte of a sealed sector. */
export interface SealOrigin {
  readonly sector: SectorRef
  /** Hexadecimal. */
  readonly ticket: string
  readonly data: Uint8Array
}

interface Workplace {
  readonly directory: string
  readonly unsealed: string
  readonly sealed: string
  readonly cache: string
}

/** Of a cache, what decides comm_r and every later proof, and names no place of its machine. */
const TELLING = /^(p_aux|sc-02-data-tree-r-last.*\.dat)$/

/**
 * How a sealed sector differs from one that the prover alone makes of the same ticket and data, undisturbed, in a
 * directory of its own; empty when it is the same, byte for byte.
 * @param found commitments, hexadecimal, and the files as they lie in a store path
 */
export async function differencesFromUndisturbed(
  origin: SealOrigin,
  found: SealCommitments & Pick<Workplace, 'sealed' | 'cache'>,
): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-reference-'))
  try {
    const at = workplace(directory)
    const wanted = await sealOnce(origin, at)
    const files: [string, string, string][] = [['the sealed file', found.sealed, at.sealed]]
    for (const name of (await readdir(at.cache)).filter((each) => TELLING.test(each))) {
      files.push([name, join(found.cache, name), join(at.cache, name)])
    }
    if (files.length < 3)
      throw new Error(`only ${files.length} files tell anything: their names have changed`)
    const different: string[] = []
    if (found.commD !== wanted.commD) different.push(`comm_d is ${found.commD}, not ${wanted.commD}`)
    if (found.commR !== wanted.commR) different.push(`comm_r is ${found.commR}, not ${wanted.commR}`)
    for (const [name, one, other] of files) {
      if (!(await readFile(one)).equals(await readFile(other))) different.push(`${name} has other content`)
    }
    return different
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** AP, PC1 and PC2 by the prover alone. @param before what is done between PC1 and PC2 */
export async function sealOnce(
  { sector, ticket, data }: SealOrigin,
  { directory, unsealed, sealed, cache }: Workplace,
  before: (preCommit2: () => Promise<SealCommitments>) => Promise<void> = async () => undefined,
): Promise<SealCommitments> {
  const executor = await openExecutor({
    kind: 'prover',
    parameterCache: directory,
    log: silentLogger,
    clock: systemClock,
  })
  const context = { scratch: directory }
  const file = join(directory, 'data')
  await writeFile(file, data)
  const pieces: SealPiece[] = []
  const sizes = packPieces([data.length], sealProof(sector.ProofType).sectorSize)
  for (const [index, { size, dataBytes }] of sizes.entries()) {
    const existingPieces = sizes.slice(0, index).map((each) => unpaddedSize(each.size))
    const source =
      dataBytes > 0 ? ({ kind: 'file', file, dataBytes } as const) : ({ kind: 'zeroes' } as const)
    const task = { sector, unsealed, existingPieces, pieceBytes: unpaddedSize(size), source }
    pieces.push(await executor.addPiece(task, context))
  }
  const phase1Output = await executor.preCommit1({ sector, unsealed, sealed, cache, ticket, pieces }, context)
  const preCommit2 = () => executor.preCommit2({ sector, sealed, cache, phase1Output }, context)
  await before(preCommit2)
  return preCommit2()
}

export function workplace(directory: string): Workplace {
  const [unsealed, sealed, cache] = ['unsealed', 'sealed', 'cache'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ]
  return { directory, unsealed, sealed, cache }
}

/** As `sectors status` has them → hexadecimal. */
export function commitmentsOf(status: {
  readonly CommD: { '/': string } | null
  readonly CommR: { '/': string } | null
}): SealCommitments {
  if (status.CommD === null || status.CommR === null) throw new Error('a sealed sector has its commitments')
  return { commD: unsealedCommitment(status.CommD), commR: sealedCommitment(status.CommR) }
}

export function ticketHex(base64: string | null): string {
  if (base64 === null) throw new Error('a sealed sector has its ticket')
  return hexOfBase64(base64)
}
