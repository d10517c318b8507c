import { unsealedAllocated } from '../native/unsealed.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { findSources, type Source } from './fetch-sources.ts'
import type { StorageParts } from './parts.ts'
import { removeFrom } from './remove-files.ts'
import { relativeName, type StoragePath } from './storage-path.ts'

/** A node looks into one small trailer. */
const ASK_TIMEOUT_MS = 30_000

/**
 * A stored unsealed copy may hold some ranges only: those that were kept when the sector was finalized. The whole
 * one that UNS has made since, here or on another node, holds them too; the part gives way, so that the whole is moved
 * to the store instead of being compared with it. What does not say how much it holds stays.
 */
export async function giveWayToWhole(
  parts: StorageParts,
  sector: SectorRef,
  signal?: AbortSignal,
): Promise<void> {
  const here = await ownCopies(parts, sector)
  const some = here.filter(({ holds }) => holds === 'some')
  if (some.length === 0) return
  const isWholeHere = here.some(({ holds }) => holds === 'all')
  if (!isWholeHere && (here.length > some.length || !(await areWholeElsewhere(parts, sector, signal)))) return
  for (const { path } of some) {
    parts.log.info('part of an unsealed copy gives way to the whole one', {
      sector: sectorName(sector.ID),
      storagePath: path.id,
    })
    const name = relativeName('unsealed', sector.ID)
    await parts.locks.run(name, () => removeFrom(parts, path, 'unsealed', sector.ID))
  }
}

interface Copy {
  readonly path: StoragePath
  readonly holds: 'all' | 'some' | 'unknown'
}

async function ownCopies(parts: StorageParts, sector: SectorRef): Promise<Copy[]> {
  const { sectorSize } = sealProof(sector.ProofType)
  const name = relativeName('unsealed', sector.ID)
  const holders = await parts.paths.holdersOf('unsealed', sector.ID)
  return Promise.all(
    holders.map(async (path): Promise<Copy> => {
      if (path.inTheMaking.has(name)) return { path, holds: 'unknown' }
      const file = path.fileOf('unsealed', sector.ID)
      return unsealedAllocated(file, sectorSize, 0, sectorSize).then(
        (all) => ({ path, holds: all ? 'all' : 'some' }),
        () => ({ path, holds: 'unknown' }),
      )
    }),
  )
}

/** Whether there are other copies and each is whole: which of them is fetched is not known yet. */
async function areWholeElsewhere(
  parts: StorageParts,
  sector: SectorRef,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const sources = await findSources(parts, sector, 'unsealed')
  const answers = await Promise.all(sources.map((source) => isWholeAt(parts, source, sector, signal)))
  return answers.length > 0 && answers.every((isWhole) => isWhole)
}

/** The field's question: 200 all of the range, 416 not all. Who does not answer has said nothing. */
async function isWholeAt(
  parts: StorageParts,
  { url }: Source,
  { ProofType: proofType }: SectorRef,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { sectorSize } = sealProof(proofType)
  const limits = [
    AbortSignal.timeout(ASK_TIMEOUT_MS),
    parts.cancelling,
    ...(signal === undefined ? [] : [signal]),
  ]
  try {
    const answer = await fetch(`${url}/${proofType}/allocated/0/${sectorSize}`, {
      headers: { authorization: `Bearer ${await parts.fetchToken()}` },
      signal: AbortSignal.any(limits),
    })
    await answer.arrayBuffer()
    return answer.status === 200
  } catch {
    return false
  }
}
