import type { ReturnApi, WorkerApi } from '../protocol/apis.ts'
import type { CallError, CallId } from '../protocol/types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { KeyedLock } from '../storage/keyed-lock.ts'
import type { Calls } from './calls.ts'
import type { TaskTools } from './task-tools.ts'
import { addPiece } from './tasks/add-piece.ts'
import { commit1 } from './tasks/commit-1.ts'
import { commit2 } from './tasks/commit-2.ts'
import { fetch } from './tasks/fetch.ts'
import { finalize } from './tasks/finalize.ts'
import { moveStorage } from './tasks/move-storage.ts'
import { preCommit1 } from './tasks/pre-commit-1.ts'
import { preCommit2 } from './tasks/pre-commit-2.ts'
import { releaseUnsealed } from './tasks/release-unsealed.ts'
import { unseal } from './tasks/unseal.ts'

/** The methods that answer a CallID; each has a `Return…` method that takes its result. */
export type TaskCalls = {
  [K in keyof WorkerApi as `Return${K}` extends keyof ReturnApi ? K : never]: WorkerApi[K]
}

/** A task whose result is what its `Return…` method takes between the CallID and the error. */
type Run<M extends keyof TaskCalls> =
  Parameters<ReturnApi[`Return${M}`]> extends [CallId, infer Value, CallError]
    ? (tools: TaskTools) => Promise<NonNullable<Value>>
    : (tools: TaskTools) => Promise<void>

/**
 * Tasks of one sector that take turns: the scheduler's locks keep them apart, and where they do not (a call sent
 * again after a sealer's restart), two writers in one directory would be the end of it.
 */
const TURNS: Readonly<Record<keyof TaskCalls, string>> = {
  AddPiece: 'unsealed',
  ReleaseUnsealed: 'unsealed',
  UnsealPiece: 'unsealed',
  SealPreCommit1: 'cache',
  SealPreCommit2: 'cache',
  SealCommit1: 'cache',
  FinalizeSector: 'cache',
  SealCommit2: 'proof',
  MoveStorage: 'move',
  Fetch: 'fetch',
}

const CODES: Readonly<Record<keyof TaskCalls, string>> = {
  AddPiece: 'AP',
  SealPreCommit1: 'PC1',
  SealPreCommit2: 'PC2',
  SealCommit1: 'C1',
  SealCommit2: 'C2',
  FinalizeSector: 'FIN',
  ReleaseUnsealed: 'FUS',
  MoveStorage: 'GET',
  UnsealPiece: 'UNS',
  Fetch: 'fetch',
}

interface Parts {
  readonly calls: Calls
  readonly tools: Omit<TaskTools, 'signal'>
}

/** Each call: recorded, answered with its CallID, run by the task of its name. */
export function taskCalls(parts: Parts): TaskCalls {
  const take = taker(parts)
  return {
    AddPiece: (sector, existingPieces, pieceBytes, reader) =>
      take('AddPiece', sector, [existingPieces, pieceBytes, reader], (tools) =>
        addPiece(tools, { sector, existingPieces, pieceBytes, reader }),
      ),
    SealPreCommit1: (sector, ticket, pieces) =>
      take('SealPreCommit1', sector, [ticket, pieces], (tools) =>
        preCommit1(tools, { sector, ticket, pieces }),
      ),
    SealPreCommit2: (sector, phase1Output) =>
      take('SealPreCommit2', sector, [phase1Output], (tools) => preCommit2(tools, { sector, phase1Output })),
    SealCommit1: (sector, ticket, seed, pieces, cids) =>
      take('SealCommit1', sector, [ticket, seed, pieces, cids], (tools) =>
        commit1(tools, { sector, ticket, seed, pieces, cids }),
      ),
    SealCommit2: (sector, commit1Output) =>
      take('SealCommit2', sector, [commit1Output], (tools) => commit2(tools, { sector, commit1Output })),
    FinalizeSector: (sector) => take('FinalizeSector', sector, [], (tools) => finalize(tools, sector)),
    ReleaseUnsealed: (sector, keep) =>
      take('ReleaseUnsealed', sector, [keep], (tools) => releaseUnsealed(tools, { sector, keep })),
    MoveStorage: (sector, bits) =>
      take('MoveStorage', sector, [bits], (tools) => moveStorage(tools, sector, bits)),
    UnsealPiece: (sector, offset, size, ticket, unsealed) =>
      take('UnsealPiece', sector, [offset, size, ticket, unsealed], (tools) =>
        unseal(tools, { sector, offset, size, ticket, unsealed }),
      ),
    Fetch: (sector, bits, kind, mode) =>
      take('Fetch', sector, [bits, kind, mode], (tools) => fetch(tools, { sector, bits, kind, mode })),
  }
}

function taker({ calls, tools }: Parts) {
  const turns = new KeyedLock()
  return <M extends keyof TaskCalls>(
    method: M,
    sector: SectorRef,
    params: readonly unknown[],
    run: Run<M>,
  ): Promise<CallId> =>
    calls.take({
      sector: sector.ID,
      task: CODES[method],
      returns: `Return${method}`,
      params: [sector, ...params],
      run: (signal) =>
        turns.run(`${sectorName(sector.ID)} ${TURNS[method]}`, async () => {
          signal.throwIfAborted()
          return run({ ...tools, signal })
        }),
    })
}
