import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../base/errors.ts'
import { syncDirectory } from '../base/write-durably.ts'
import type { SealProof } from '../sectors/proof-types.ts'
import type { NamedSize } from './cache-completeness.ts'

/** What lies in a cache directory; nothing when there is none. */
export async function listCache(directory: string): Promise<NamedSize[]> {
  let names: string[]
  try {
    names = await readdir(directory)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
  return Promise.all(
    names.map(async (name) => {
      const { size } = await lstat(join(directory, name))
      return { name, size }
    }),
  )
}

/**
 * Removes all but the given files, durably: the record that is written next says what the directory holds, and
 * a power cut must not bring the removed files back below it.
 */
export async function keepOnly(directory: string, keep: ReadonlySet<string>): Promise<void> {
  const files = await listCache(directory)
  const doomed = files.filter((file) => !keep.has(file.name))
  if (doomed.length === 0) return
  for (const { name } of doomed) await rm(join(directory, name), { recursive: true, force: true })
  await syncDirectory(directory)
}

/**
 * Layers that a new PC1 may skip: whole ones, from the first without a gap. The proofs library takes any layer by
 * its name and length, so only what the record vouches for may be left to it.
 */
export function wholeLayers(proof: SealProof, files: readonly NamedSize[]): Set<string> {
  const sizes = new Map(files.map((file) => [file.name, file.size]))
  const layers = new Set<string>()
  for (let layer = 1; layer <= proof.layers; layer++) {
    const name = `sc-02-data-layer-${layer}.dat`
    if (sizes.get(name) !== proof.sectorSize) break
    layers.add(name)
  }
  return layers
}
