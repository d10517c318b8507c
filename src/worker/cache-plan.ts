import { missingFiles, requiredCacheFiles } from '../sectors/cache-files.ts'
import type { SealProof } from '../sectors/proof-types.ts'
import { completePhase, type NamedSize } from '../storage/cache-completeness.ts'
import type { CacheRecord } from '../storage/cache-records.ts'

// What a task may do with a cache directory, from what is recorded of it and what lies in it. Pure. The proofs
// library takes files by name and length: a layer of another ticket, a stale tree-d, a half-built tree-c are all
// accepted and give a wrong result without an error.

/** What a cache is made from. */
export interface CacheOrigin {
  /** Base64. */
  readonly ticket: string
  /** `cid:size`, in order. */
  readonly pieces: readonly string[]
}

/** `anew`: empty the directory first; `keep-layers`: whole layers stay, all else goes. */
export type PreCommit1Plan = 'anew' | 'keep-layers'

/**
 * @param isOfThisBoot whether the machine has run ever since the record was made. Only what PC1 leaves at its end is
 * synced: after a power cut a layer of a PC1 that broke off may have its length and none of its content.
 */
export function planPreCommit1(
  record: CacheRecord | null,
  wanted: CacheOrigin,
  isOfThisBoot: boolean,
): PreCommit1Plan {
  if (record === null || !hasOrigin(record) || !sameOrigin(record, wanted)) return 'anew'
  return record.phase === 'pc1-started' && !isOfThisBoot ? 'anew' : 'keep-layers'
}

export type PreCommit2Plan =
  | { readonly how: 'run' }
  /** PC1 first, layers skipped: something in the directory, or the sealed file, is PC2's own leftover. */
  | { readonly how: 'repair'; readonly origin: CacheOrigin }
  | { readonly how: 'refuse'; readonly reason: string }

export function planPreCommit2(
  proof: SealProof,
  record: CacheRecord | null,
  files: readonly NamedSize[],
): PreCommit2Plan {
  const phase = record?.phase ?? null
  if (phase === 'finalized') {
    return refuse('its cache is finalized, the layers that PC2 reads are gone; run PC1 again')
  }
  if (record !== null && phase !== 'pc1') return planRepair(record)
  const verdict = completePhase(proof, files)
  if (verdict.phase === 'pc1') return { how: 'run' }
  const found = verdict.phase === null ? verdict.problem : `it is a ${verdict.phase} cache`
  return refuse(`its cache is not what PC1 leaves (${found}); run PC1 again`)
}

/**
 * PC2 encodes the sealed file in place and takes half-built trees for whole ones: what it has begun can only be
 * made again from PC1's step.
 */
function planRepair(record: CacheRecord): PreCommit2Plan {
  if (hasOrigin(record)) return { how: 'repair', origin: record }
  return refuse(
    'PC2 has run in its cache before, and the ticket and pieces it was made from are not known here ' +
      '(it came from another node); run PC1 again',
  )
}

/** Why C1 must not read this cache, or null. */
export function commit1Objection(record: CacheRecord | null, wanted: CacheOrigin): string | null {
  if (record === null) return null
  if (record.phase !== 'pc2' && record.phase !== 'finalized') {
    return `PC2 is not done in its cache (recorded: ${record.phase}); run PC2 again`
  }
  if (hasOrigin(record) && !sameOrigin(record, wanted)) {
    return 'its cache was made with another ticket or other pieces than C1 is asked for; run PC1 again'
  }
  return null
}

/** Why this cache must not be trimmed, or null. A FIN that broke off is taken up again. */
export function finalizeObjection(
  proof: SealProof,
  record: CacheRecord | null,
  files: readonly NamedSize[],
): string | null {
  if (record !== null && record.phase !== 'pc2' && record.phase !== 'finalized') {
    return `PC2 is not done in its cache (recorded: ${record.phase}); nothing was removed`
  }
  const names = files.map((file) => file.name)
  const missing = missingFiles(requiredCacheFiles(proof, 'finalized'), names)
  if (missing.length === 0) return null
  return `its cache lacks ${missing.join(', ')}, which proving needs; nothing was removed`
}

/** A cache that was made elsewhere has a record without them. */
function hasOrigin(record: CacheRecord): boolean {
  return record.ticket !== ''
}

function sameOrigin(a: CacheOrigin, b: CacheOrigin): boolean {
  return (
    a.ticket === b.ticket &&
    a.pieces.length === b.pieces.length &&
    a.pieces.every((piece, index) => piece === b.pieces[index])
  )
}

function refuse(reason: string): PreCommit2Plan {
  return { how: 'refuse', reason }
}
