import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { describeError } from '../base/errors.ts'
import type { SectorIndex } from '../sector-index/sector-index.ts'
import { FILE_TYPE_BIT, type FileTypeBits, fileTypeBits, fileTypesOf } from '../sectors/file-types.ts'
import { sealProof, unpaddedSize } from '../sectors/proof-types.ts'
import { type SectorId, type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { TASK, type TaskType } from '../sectors/task-types.ts'
import type { Calls } from './calls.ts'
import type { ConnectedWorker } from './connected-worker.ts'
import type { Brought, Selector } from './decide/request.ts'
import { SchedulerError } from './errors.ts'
import { fileBytes } from './file-bytes.ts'
import { demandHeld, isHeld, isStored, leftovers } from './held-files.ts'
import type { SchedulingLoop } from './loop.ts'
import type { KeptRange } from './sector-tasks.ts'
import { type Locks, underLock } from './under-lock.ts'
import { within } from './within.ts'
import { call, fetchTo, type WorkerCall } from './worker-calls.ts'

export interface FinishingOptions {
  readonly index: SectorIndex
  readonly loop: SchedulingLoop
  readonly calls: Calls
  readonly disallowRemoteFinalize: boolean
  readonly clock: Clock
}

const UNSEALED = fileTypeBits('unsealed')
const SEALED = fileTypeBits('sealed')
const CACHE = fileTypeBits('cache')
/** lotus removes five types; loose pieces are not the sector's. */
const OF_A_SECTOR = fileTypeBits('unsealed', 'sealed', 'cache', 'update', 'update-cache')

/** How long a disabled worker may take to remove a sector. */
const AWAY_MS = 10_000

/** One task that is safe to repeat, so that nothing of it is kept over a restart. */
interface SimpleTask {
  readonly sector: SectorRef
  readonly task: TaskType
  readonly selector: Selector
  readonly brings: Brought | null
  readonly mode: 'move' | 'copy'
  invoke: WorkerCall<unknown>['invoke']
}

/** What comes after the proof: FUS, FIN, GET, UNS, and the end of a sector. */
export class FinishingTasks {
  readonly #options: FinishingOptions

  constructor(options: FinishingOptions) {
    this.#options = options
  }

  /** Repeatable from any point: each step looks at what is there. */
  async finalize(sector: SectorRef, keep: readonly KeptRange[], signal?: AbortSignal): Promise<void> {
    const { calls, index } = this.#options
    await this.#locked(sector.ID, { read: 0, write: UNSEALED }, signal, () =>
      this.#freeUnsealed(sector, keep, signal),
    )
    await this.#locked(sector.ID, { read: 0, write: SEALED | UNSEALED | CACHE }, signal, async () => {
      demandHeld(index, sector.ID, SEALED | CACHE, 'FIN')
      await this.#schedule(
        {
          sector,
          task: TASK.FIN,
          selector: { kind: 'existing', bits: CACHE, allowFetch: false },
          brings: null,
          mode: 'move',
          invoke: ({ connection }) => connection.api.FinalizeSector(sector),
        },
        signal,
      )
      const unsealed = isHeld(index, sector.ID, 'unsealed') ? UNSEALED : 0
      await this.#moveToStore(sector, SEALED | CACHE | unsealed, signal)
      await calls.clear(sector.ID)
    })
  }

  async unseal(sector: SectorRef, ticket: string, unsealedCid: string, signal?: AbortSignal): Promise<void> {
    const { index } = this.#options
    await this.#locked(sector.ID, { read: SEALED | CACHE, write: UNSEALED }, signal, async () => {
      demandHeld(index, sector.ID, SEALED | CACHE, 'UNS')
      const size = unpaddedSize(sealProof(sector.ProofType).sectorSize)
      await this.#schedule(
        {
          sector,
          task: TASK.UNS,
          selector: { kind: 'alloc', bits: UNSEALED, pathKind: 'sealing' },
          // Unsealing reads the sealed file alone; a node of the field that wants the cache too fetches it itself.
          brings: { files: fileBytes(sector, 'finalized', ['sealed']), pathKind: 'sealing' },
          mode: 'copy',
          invoke: ({ connection }) =>
            connection.api.UnsealPiece(sector, 0, size, ticket, { '/': unsealedCid }),
        },
        signal,
      )
      await this.#moveToStore(sector, UNSEALED, signal)
    })
  }

  async remove(sector: SectorId, signal?: AbortSignal): Promise<void> {
    const { calls, index, loop } = this.#options
    await this.#locked(sector, { read: 0, write: OF_A_SECTOR }, signal, async () => {
      const failures: string[] = []
      for (const worker of loop.workers()) {
        await this.#removeFrom(worker, sector).catch((error: unknown) =>
          failures.push(`${worker.hostname}: ${describeError(error)}`),
        )
      }
      await calls.forget(sector)
      const left = [...leftovers(index, sector)].map(([path, types]) => `${types.join(', ')} on ${path}`)
      if (left.length > 0) throw incomplete(sector, left, failures)
    })
  }

  /** Many files may take long; but who does not answer at all is not waited for. */
  #removeFrom(worker: ConnectedWorker, sector: SectorId): Promise<void> {
    const removed = worker.connection.api.Remove(sector)
    return worker.enabled ? removed : within(removed, AWAY_MS, this.#options.clock, 'the worker is away: it')
  }

  /** A holder at a time, until none is left or, when ranges are kept, once. */
  async #freeUnsealed(sector: SectorRef, keep: readonly KeptRange[], signal?: AbortSignal): Promise<void> {
    const { index } = this.#options
    const rounds = keep.length > 0 ? 1 : index.view().holdings(sector.ID).length
    for (let round = 0; round < rounds && isHeld(index, sector.ID, 'unsealed'); round++) {
      await this.#schedule(
        {
          sector,
          task: TASK.FUS,
          selector: { kind: 'existing', bits: UNSEALED, allowFetch: false },
          brings: null,
          mode: 'move',
          invoke: ({ connection }) => connection.api.ReleaseUnsealed(sector, [...keep]),
        },
        signal,
      )
    }
  }

  /** Nothing to do for what lies in a store path already, however full the stores are (lotus #10697, #9946). */
  async #moveToStore(sector: SectorRef, bits: FileTypeBits, signal?: AbortSignal): Promise<void> {
    const { disallowRemoteFinalize, index } = this.#options
    const types = fileTypesOf(bits).filter((type) => !isStored(index, sector.ID, type))
    if (types.length === 0) return
    const moved = types.reduce((sum, type) => sum | FILE_TYPE_BIT[type], 0)
    await this.#schedule(
      {
        sector,
        task: TASK.GET,
        selector: { kind: 'move', bits: moved, allowRemote: !disallowRemoteFinalize },
        brings: { files: fileBytes(sector, 'finalized', types), pathKind: 'storage' },
        mode: 'move',
        invoke: ({ connection }) => connection.api.MoveStorage(sector, moved),
      },
      signal,
    )
  }

  async #schedule(simple: SimpleTask, signal?: AbortSignal): Promise<void> {
    const { calls, loop } = this.#options
    const { sector, task, selector, brings, mode, invoke } = simple
    await loop.schedule(
      {
        sector,
        task,
        priority: 0,
        selector,
        brings,
        prepare: brings === null ? null : (worker) => fetchTo(calls, worker, sector, brings, mode),
        work: (worker: ConnectedWorker) =>
          call(calls, worker, { sector, task, work: null, result: z.unknown(), invoke }),
      },
      signal,
    )
  }

  #locked(
    sector: SectorId,
    locks: Pick<Locks, 'read' | 'write'>,
    signal: AbortSignal | undefined,
    work: () => Promise<void>,
  ): Promise<void> {
    return underLock({ index: this.#options.index, sector, ...locks }, signal, work)
  }
}

function incomplete(sector: SectorId, left: readonly string[], failures: readonly string[]): SchedulerError {
  const why = failures.length === 0 ? 'no connected worker has removed it' : failures.join('; ')
  return new SchedulerError({
    code: 'REMOVE_INCOMPLETE',
    level: 'temporary',
    message: `${sectorName(sector)} is not removed everywhere: ${left.join('; ')} (${why}); attach the path or start its worker`,
    sector: sectorName(sector),
  })
}
