import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import {
  base64,
  type PieceInfo,
  pieceInfo,
  type ReaderParameter,
  type SectorCids,
  sectorCids,
} from '../protocol/types.ts'
import type { SectorIndex } from '../sector-index/sector-index.ts'
import { fileTypeBits } from '../sectors/file-types.ts'
import type { SectorId, SectorRef } from '../sectors/sector-id.ts'
import { TASK, type TaskType } from '../sectors/task-types.ts'
import type { Calls } from './calls.ts'
import { asWork, workNeeds } from './decide/request.ts'
import { Usage } from './decide/usage.ts'
import { fileBytes } from './file-bytes.ts'
import { FinishingTasks } from './finishing-tasks.ts'
import { refuseStored } from './held-files.ts'
import type { SchedulingLoop } from './loop.ts'
import type { KeptRange, PieceData, SectorTasks } from './sector-tasks.ts'
import { removeStaleCopies } from './stale-copies.ts'
import { type TrackedTask, TrackedTasks } from './tracked-tasks.ts'
import { type Locks, underLock, untilAborted } from './under-lock.ts'
import { pushId, trackedWork } from './work-key.ts'

export interface SectorTasksOptions {
  readonly index: SectorIndex
  readonly loop: SchedulingLoop
  readonly calls: Calls
  readonly disallowRemoteFinalize: boolean
  readonly clock: Clock
  readonly log: Logger
}

const UNSEALED = fileTypeBits('unsealed')
const SEALED = fileTypeBits('sealed')
const CACHE = fileTypeBits('cache')

/** Each task of a sector's life: locks as lotus takes them (lotus-compat 8), a place, its files, its result. */
export class ScheduledSectorTasks implements SectorTasks {
  readonly #options: SectorTasksOptions
  readonly #tracked: TrackedTasks
  readonly #finishing: FinishingTasks

  constructor(options: SectorTasksOptions) {
    this.#options = options
    this.#tracked = new TrackedTasks(options)
    this.#finishing = new FinishingTasks(options)
  }

  addPiece(
    sector: SectorRef,
    existing: readonly number[],
    size: number,
    data: PieceData,
    signal?: AbortSignal,
  ): Promise<PieceInfo> {
    const { index } = this.#options
    const isFirst = existing.length === 0
    const params = [existing, size, data.kind]
    const uuid = pushId(trackedWork('AddPiece', sector.ID, [sector, ...params]))
    const supply = data.kind === 'zeroes' ? {} : { supply: { ...data, uuid } }
    const reader: ReaderParameter =
      data.kind === 'zeroes' ? { Type: 'null', Info: String(size) } : { Type: 'push', Info: uuid }
    const task: TrackedTask<PieceInfo> = {
      method: 'AddPiece',
      sector,
      params,
      result: pieceInfo,
      selector: isFirst
        ? { kind: 'alloc', bits: UNSEALED, pathKind: 'sealing' }
        : { kind: 'existing', bits: UNSEALED, allowFetch: false },
      brings: null,
      invoke: ({ connection }) => connection.api.AddPiece(sector, [...existing], size, reader),
      ...supply,
    }
    return this.#locked(task, { read: 0, write: UNSEALED }, signal, () =>
      refuseStored(index, sector.ID, 'AP'),
    )
  }

  preCommit1(
    sector: SectorRef,
    ticket: string,
    pieces: readonly PieceInfo[],
    signal?: AbortSignal,
  ): Promise<string> {
    const { index, clock, log, loop } = this.#options
    const task: TrackedTask<string> = {
      method: 'SealPreCommit1',
      sector,
      params: [ticket, pieces],
      result: base64,
      selector: { kind: 'alloc', bits: SEALED | CACHE, pathKind: 'sealing' },
      brings: { files: fileBytes(sector, 'pc1', ['unsealed']), pathKind: 'sealing' },
      before: (worker) =>
        removeStaleCopies({ index, workers: loop.workers(), clock, log }, sector.ID, worker),
      invoke: ({ connection }) => connection.api.SealPreCommit1(sector, ticket, [...pieces]),
    }
    return this.#locked(task, { read: UNSEALED, write: SEALED | CACHE }, signal, () =>
      refuseStored(index, sector.ID, 'PC1'),
    )
  }

  preCommit2(sector: SectorRef, phase1Output: string, signal?: AbortSignal): Promise<SectorCids> {
    const task: TrackedTask<SectorCids> = {
      method: 'SealPreCommit2',
      sector,
      params: [phase1Output],
      result: sectorCids,
      selector: { kind: 'existing', bits: SEALED | CACHE, allowFetch: true },
      brings: { files: fileBytes(sector, 'pc1', ['sealed', 'cache']), pathKind: 'sealing' },
      invoke: ({ connection }) => connection.api.SealPreCommit2(sector, phase1Output),
    }
    return this.#locked(task, { read: SEALED, write: CACHE }, signal)
  }

  commit1(
    sector: SectorRef,
    ticket: string,
    seed: string,
    pieces: readonly PieceInfo[],
    cids: SectorCids,
    signal?: AbortSignal,
  ): Promise<string> {
    const task: TrackedTask<string> = {
      method: 'SealCommit1',
      sector,
      params: [ticket, seed, pieces, cids],
      result: base64,
      selector: { kind: 'existing', bits: SEALED | CACHE, allowFetch: false },
      brings: null,
      invoke: ({ connection }) => connection.api.SealCommit1(sector, ticket, seed, [...pieces], cids),
    }
    return this.#locked(task, { read: SEALED, write: CACHE }, signal)
  }

  commit2(sector: SectorRef, commit1Output: string, signal?: AbortSignal): Promise<string> {
    const task: TrackedTask<string> = {
      method: 'SealCommit2',
      sector,
      params: [commit1Output],
      result: base64,
      selector: { kind: 'any' },
      brings: null,
      invoke: ({ connection }) => connection.api.SealCommit2(sector, commit1Output),
    }
    return untilAborted(this.#tracked.run(task, signal), signal)
  }

  async canCommit2(sector: SectorRef): Promise<boolean> {
    const request = { id: '', sector, task: TASK.C2 }
    // Nobody asks idle workers what they can do, and parameters may have come since.
    await this.#options.loop.refreshWorkers()
    return this.#options.loop
      .workers()
      .filter((worker) => worker.enabled && worker.tasks.has(TASK.C2))
      .some(({ info }) => new Usage().fits(asWork(request), workNeeds(request, info), info))
  }

  settle(sector: SectorId, wanted: TaskType | null): Promise<void> {
    return this.#options.calls.settle(sector, wanted)
  }

  finalize(sector: SectorRef, keepUnsealed: readonly KeptRange[], signal?: AbortSignal): Promise<void> {
    return this.#finishing.finalize(sector, keepUnsealed, signal)
  }

  unseal(sector: SectorRef, ticket: string, unsealedCid: string, signal?: AbortSignal): Promise<void> {
    return this.#finishing.unseal(sector, ticket, unsealedCid, signal)
  }

  remove(sector: SectorId, signal?: AbortSignal): Promise<void> {
    return this.#finishing.remove(sector, signal)
  }

  #locked<T>(
    task: TrackedTask<T>,
    locks: Pick<Locks, 'read' | 'write'>,
    signal: AbortSignal | undefined,
    check: () => void = () => undefined,
  ): Promise<T> {
    const sector = task.sector.ID
    return underLock({ index: this.#options.index, sector, ...locks }, signal, async () => {
      check()
      return this.#tracked.run(task, signal)
    })
  }
}
