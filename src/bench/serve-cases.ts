import { join } from 'node:path'
import { type LayoutEntry, type LayoutFile, writeLayout } from './layouts.ts'
import type { PublishedFile } from './servers.ts'

export const SERVE_CASES = ['file', 'small', 'tar'] as const
export type ServeCaseName = (typeof SERVE_CASES)[number]

/** One thing that all servers are asked for. */
export interface ServeCase {
  readonly name: ServeCaseName
  readonly connections: number
  readonly state: 'hot' | 'cold'
  /** Addresses that are asked for in turn, and what lies behind them. */
  readonly paths: readonly string[]
  readonly files: readonly string[]
  /** That make one sample. */
  readonly requests: number
}

export interface CasesOptions {
  readonly sizeBytes: number
  readonly cases: readonly ServeCaseName[]
  /** Null: what is usual for each case. */
  readonly connections: readonly number[] | null
  readonly state: 'hot' | 'cold'
}

const USUAL_CONNECTIONS: Readonly<Record<ServeCaseName, readonly number[]>> = {
  file: [1, 8, 64],
  small: [16],
  tar: [1],
}
/** Each file is sent this often in a sample when it is hot: CPU time is told in steps of 10 ms. */
const HOT_PASSES = 4
const SMALL = { bytes: 2048, files: 64, leastRequests: 512, mostRequests: 50_000 }
/** `p_aux` and `t_aux`. */
const AUX_BYTES = { p_aux: 64, t_aux: 400 }
/** Of a 32 GiB sector. */
const TREES = 8

const entryName = (type: 'sealed' | 'cache', name: string) => `remote/${type}/${name}`
/** Sectors of one case have numbers of their own. */
const SECTORS = { small: 1_000_000, cache: 2_000_000, tar: 2_000_001 }

/** What is measured, in order. */
export function casesOf({ sizeBytes, cases, connections, state }: CasesOptions, root: string): ServeCase[] {
  const passes = state === 'hot' ? HOT_PASSES : 1
  return cases.flatMap((name) =>
    (connections ?? USUAL_CONNECTIONS[name]).map((count): ServeCase => {
      if (name === 'tar') return tarCase(root, count, state, passes)
      const names = sectorsOf(name, count).map((sector) => entryName('sealed', sector))
      const isSmall = name === 'small'
      return {
        name,
        connections: count,
        // 2 KiB are read once, with their page: from the second time around they are hot.
        state: isSmall ? 'hot' : state,
        paths: names.map((each) => `/${each}`),
        files: names.map((each) => join(root, each)),
        requests: isSmall ? smallRequests(sizeBytes) : passes * names.length,
      }
    }),
  )
}

function tarCase(root: string, connections: number, state: 'hot' | 'cold', passes: number): ServeCase {
  const files = cacheDirectory(0).files.map(({ inside }) => join(root, CACHE, inside))
  return { name: 'tar', connections, state, paths: [`/${CACHE}`], files, requests: passes * connections }
}

const CACHE = entryName('cache', `s-t01000-${SECTORS.cache}`)
const TAR = entryName('sealed', `s-t01000-${SECTORS.tar}`)

/** Where the tar of the cache directory lies as a plain file, and its address: the same bytes for who makes no tar. */
export const savedTar = { name: TAR, path: `/${TAR}` }

/** Makes what the cases ask for below `root`, each file once, durably. */
export async function writeCases(
  cases: readonly ServeCase[],
  sizeBytes: number,
  root: string,
  signal: AbortSignal,
): Promise<PublishedFile[]> {
  const entries = new Map(
    cases.flatMap((each) => entriesOf(each, sizeBytes)).map((each) => [each.name, each]),
  )
  await writeLayout([...entries.values()], root, signal)
  const names = [...entries.keys(), ...(entries.has(CACHE) ? [TAR] : [])]
  return names.map((each) => {
    const [, type, name = ''] = each.split('/')
    return { type: type === 'cache' ? 'cache' : 'sealed', name, path: join(root, each) }
  })
}

/** Space that the files of the cases take, the tar as a file included. */
export function bytesOfCases(options: CasesOptions): number {
  const { sizeBytes, cases } = options
  const counts = new Set(options.connections ?? USUAL_CONNECTIONS.file)
  const files = cases.includes('file') ? counts.size * sizeBytes : 0
  const tar = cases.includes('tar') ? 2 * sizeBytes + 2 ** 20 : 0
  return files + tar + SMALL.files * 4096
}

function entriesOf({ name, connections }: ServeCase, sizeBytes: number): LayoutEntry[] {
  if (name === 'tar') return [cacheDirectory(sizeBytes)]
  const bytes = name === 'small' ? SMALL.bytes : Math.max(1, Math.floor(sizeBytes / connections))
  return sectorsOf(name, connections).map((sector) => ({
    name: entryName('sealed', sector),
    files: [wholeFile('', bytes)],
  }))
}

/** A file for each connection, as sectors are fetched: their sizes differ by case, so the names do. */
function sectorsOf(name: 'file' | 'small', connections: number): string[] {
  const count = name === 'small' ? SMALL.files : connections
  const first = name === 'small' ? SECTORS.small : connections * 1000
  return Array.from({ length: count }, (_, at) => `s-t01000-${first + at}`)
}

/** As it is after FinalizeSector, with trees that together are as large as the file of the other cases. */
function cacheDirectory(sizeBytes: number): LayoutEntry {
  const tree = Math.ceil(sizeBytes / TREES)
  const trees = Array.from({ length: TREES }, (_, at) => wholeFile(`sc-02-data-tree-r-last-${at}.dat`, tree))
  const aux = Object.entries(AUX_BYTES).map(([inside, bytes]) => wholeFile(inside, bytes))
  return { name: CACHE, files: [...aux, ...trees] }
}

function wholeFile(inside: string, bytes: number): LayoutFile {
  return { inside, bytes, data: [{ at: 0, bytes }] }
}

function smallRequests(sizeBytes: number): number {
  return Math.min(SMALL.mostRequests, Math.max(SMALL.leastRequests, Math.floor(sizeBytes / SMALL.bytes)))
}
