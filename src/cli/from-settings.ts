import { hostname } from 'node:os'
import type { NodeOptions } from '../api/node.ts'
import type { Settings } from '../config/settings-table.ts'
import { SEAL_PROOFS } from '../sectors/proof-types.ts'
import type { StorageSettings } from '../storage/parts.ts'
import type { Daemon } from './daemon.ts'
import { affordableConnections, ownOpenFileLimit } from './file-limit.ts'

/** The port's part of the settings. */
export async function nodeOptions({ settings, log, clock }: Daemon): Promise<Omit<NodeOptions, 'verifier'>> {
  const { API: api, Storage: storage } = settings
  const openFiles = await ownOpenFileLimit()
  const maxConnections = affordableConnections(api.MaxConnections, openFiles)
  if (maxConnections < api.MaxConnections) {
    log
      .logger('main')
      .warn(`at ${openFiles} open files only ${maxConnections} connections are taken: raise LimitNOFILE`, {
        setting: `API.MaxConnections = ${api.MaxConnections}`,
      })
  }
  return {
    listen: api.ListenAddress,
    advertise: api.RemoteListenAddress,
    log,
    clock,
    parallelTransfers: api.ParallelTransfers,
    maxConnections,
    maxConnectionsPerAddress: api.MaxConnectionsPerAddress,
    minRateBytes: api.MinTransferRate,
    progressTimeoutMs: storage.ProgressTimeout,
    // The table of settings allows no other words.
    serveEngine: api.ServeEngine as NonNullable<NodeOptions['serveEngine']>,
  }
}

export function storageSettings({ Storage: storage, Space: space }: Settings): StorageSettings {
  return {
    parallelFetchLimit: storage.ParallelFetchLimit,
    fetchRate: storage.FetchRate,
    fetchRatePerPeer: storage.FetchRatePerPeer,
    progressTimeoutMs: storage.ProgressTimeout,
    heartbeatMs: storage.HeartbeatInterval,
    reconcileMs: storage.ReconcileInterval,
    verifyCopies: storage.VerifyCopies,
    copyEngine: storage.CopyEngine as StorageSettings['copyEngine'],
    copyHash: storage.CopyHash as StorageSettings['copyHash'],
    floorBytes: space.Floor,
    sealedLengths: [...new Set(SEAL_PROOFS.map((proof) => proof.sectorSize))],
  }
}

/** What a stopped task may need to put its files back, and the parts after it to close theirs. */
const PUT_DOWN_MS = 8000

/** How long tasks may go on after a stop was asked for: the daemon's deadline less what stopping them takes. */
export function tasksMayEndMs({ API: api }: Settings): number {
  return Math.max(api.ShutdownTimeout - PUT_DOWN_MS, api.ShutdownTimeout / 2)
}

/** Who runs sealing tasks. */
export function executorOptions({ settings, log, clock }: Daemon) {
  return {
    kind: settings.Proofs.Executor === 'shape' ? ('shape' as const) : ('prover' as const),
    parameterCache: settings.Proofs.ParameterCache,
    log: log.logger('proofs'),
    clock,
  }
}

/** A node's name in listings. */
export function hostName(chosen: string): string {
  return chosen === '' ? hostname() : chosen
}
