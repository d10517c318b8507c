import type { SectorFileType } from '../sectors/file-types.ts'
import { startEntry } from './child-entry.ts'
import type { Network } from './network.ts'
import { startNginx } from './nginx.ts'
import { findProgram } from './programs.ts'

export const SERVE_CANDIDATES = ['sealyard', 'nginx', 'node', 'hyper-express'] as const
export type ServeCandidateName = (typeof SERVE_CANDIDATES)[number]

/** What a door is told to serve. */
export interface PublishedFile {
  readonly type: SectorFileType
  readonly name: string
  readonly path: string
}

export interface DoorArgument {
  readonly host: string
  readonly token: string
  readonly files: readonly PublishedFile[]
}

export interface RootArgument {
  readonly host: string
  readonly root: string
}

/** What all of them serve; the others take every file below the root. */
export interface ServedFiles {
  readonly network: Network
  readonly root: string
  readonly token: string
  readonly files: readonly PublishedFile[]
  /** Where a server may keep its own files. */
  readonly scratch: string
}

/** A server in a process of its own. */
export interface TestServer {
  readonly name: ServeCandidateName
  readonly label: string
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
}

const LABELS: Readonly<Record<ServeCandidateName, string>> = {
  sealyard: 'sealyard front door',
  nginx: 'nginx, sendfile',
  node: 'Node http, createReadStream().pipe()',
  'hyper-express': 'hyper-express, response.stream()',
}

/** All that are installed; for who names none. */
export function installedServers(): ServeCandidateName[] {
  return SERVE_CANDIDATES.filter((name) => name !== 'nginx' || findProgram(name) !== null)
}

/** @throws BenchError NO_PEER, PEER_FAILED */
export async function startServer(
  name: ServeCandidateName,
  served: ServedFiles,
  signal: AbortSignal,
): Promise<TestServer> {
  return { name, label: LABELS[name], ...(await started(name, served, signal)) }
}

async function started(name: ServeCandidateName, served: ServedFiles, signal: AbortSignal) {
  const { network, root, token, files, scratch } = served
  const { host, serverSide: prefix } = network
  if (name === 'nginx') return startNginx({ host, root, scratch, prefix }, signal)
  const [entry, argument]: [string, DoorArgument | RootArgument] =
    name === 'sealyard' ? ['door-process', { host, token, files }] : [`${name}-process`, { host, root }]
  const child = await startEntry(entry, argument, signal, prefix)
  return { port: Number(child.answer), pid: child.pid, stop: () => child.stop() }
}
