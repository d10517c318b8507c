import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFileBytes } from '../sectors/cache-file-bytes.ts'
import { proofTypeForSize, sealProof } from '../sectors/proof-types.ts'
import { type DataRange, writeSectorFile } from './scratch.ts'

export const SCENARIOS = ['file', 'sparse', 'sector', 'sealing-sector'] as const
export type Scenario = (typeof SCENARIOS)[number]

/** A file or a cache directory, as one move takes it. */
export interface LayoutEntry {
  /** `sealed/s-t01000-1` */
  readonly name: string
  readonly files: readonly LayoutFile[]
}

export interface LayoutFile {
  /** Below the entry; empty when the entry is the file itself. */
  readonly inside: string
  readonly bytes: number
  /** Where there is data; the rest is a hole. */
  readonly data: readonly DataRange[]
}

const SECTOR = 's-t01000-1'
/** One part in a hundred is data, in runs of this length. */
const SPARSE = { part: 100, runBytes: 2 ** 20 }

/**
 * What is moved.
 *
 * * `file`: one sealed file, no holes
 * * `sparse`: an unsealed file of which 1 % is written, in runs of 1 MiB
 * * `sector`: a finalized one: sealed, and a cache of p_aux, t_aux and tree-r-last
 * * `sealing-sector`: as PC2 leaves it: layers and trees, and an unsealed file that is a quarter full
 *
 * @throws SealyardError UNSUPPORTED_SECTOR_SIZE when there are no sectors of that size
 */
export function layoutOf(scenario: Scenario, bytes: number): LayoutEntry[] {
  switch (scenario) {
    case 'file':
      return [whole(`sealed/${SECTOR}`, bytes)]
    case 'sparse':
      return [{ name: `unsealed/${SECTOR}`, files: [{ inside: '', bytes, data: sparseRuns(bytes) }] }]
    case 'sector':
      return [whole(`sealed/${SECTOR}`, bytes), cacheOf(bytes, 'finalized')]
    case 'sealing-sector':
      return [
        { name: `unsealed/${SECTOR}`, files: [{ inside: '', bytes, data: [{ at: 0, bytes: bytes / 4 }] }] },
        whole(`sealed/${SECTOR}`, bytes),
        cacheOf(bytes, 'pc2'),
      ]
  }
}

export function bytesOf(layout: readonly LayoutEntry[]): number {
  return layout.flatMap(({ files }) => files).reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Without holes. */
export function dataBytesOf(layout: readonly LayoutEntry[]): number {
  const data = layout.flatMap(({ files }) => files).flatMap((file) => file.data)
  return data.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Paths of all files below `root`. */
export function filesOf(layout: readonly LayoutEntry[], root: string): string[] {
  return layout.flatMap(({ name, files }) => files.map(({ inside }) => join(root, name, inside)))
}

/** Makes the entries below `root`, durably. */
export async function writeLayout(
  layout: readonly LayoutEntry[],
  root: string,
  signal: AbortSignal,
): Promise<void> {
  for (const { name, files } of layout) {
    for (const { inside, bytes, data } of files) {
      const path = join(root, name, inside)
      await mkdir(join(path, '..'), { recursive: true })
      await writeSectorFile(path, bytes, data, signal)
    }
  }
}

function whole(name: string, bytes: number): LayoutEntry {
  return { name, files: [{ inside: '', bytes, data: [{ at: 0, bytes }] }] }
}

function cacheOf(sectorSize: number, phase: 'pc2' | 'finalized'): LayoutEntry {
  const files = [...cacheFileBytes(sealProof(proofTypeForSize(sectorSize)), phase)].map(
    ([inside, bytes]) => ({
      inside,
      bytes,
      data: [{ at: 0, bytes }],
    }),
  )
  return { name: `cache/${SECTOR}`, files }
}

function sparseRuns(bytes: number): DataRange[] {
  const every = SPARSE.runBytes * SPARSE.part
  const runs: DataRange[] = []
  for (let at = 0; at < bytes; at += every) runs.push({ at, bytes: Math.min(SPARSE.runBytes, bytes - at) })
  return runs
}
