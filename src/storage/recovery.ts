import { describeError } from '../base/errors.ts'
import type { Recovered } from '../native/mover.ts'
import type { InterruptedMove } from '../protocol/types.ts'
import { asStorageError, storageError } from './errors.ts'
import type { StorageParts } from './parts.ts'
import { leaveSource, parseMoveTag } from './transfer-file.ts'

/**
 * Ends the moves that a stop interrupted.
 *
 *     recovered ──target declared, source removed and dropped──► done
 *         ├─ its path is not attached, or the index is away: it waits, and is tried again
 *         └─ not certain: nothing is touched; it stays an alarm at every start until an operator settles it
 */
export class Recovery {
  readonly #parts: StorageParts
  #waiting: readonly Recovered[]
  #uncertain: readonly Recovered[]
  /** The run under way: a second one would end the same moves once more, and fail over it. */
  #running: Promise<void> | null = null

  /** @param moves as the mover found them in its journal and on the disks */
  constructor(parts: StorageParts, moves: readonly Recovered[]) {
    this.#parts = parts
    this.#waiting = moves.filter((move) => move.state !== 'alarm')
    this.#uncertain = moves.filter((move) => move.state === 'alarm')
    for (const move of this.#uncertain) this.#alarm(move)
  }

  /** What was not ended yet. */
  list(): InterruptedMove[] {
    const waits = 'it ends by itself when both paths are attached and the index answers'
    return [
      ...this.#waiting.map((move) => ({ ...placesOf(move), state: 'waiting' as const, reason: waits })),
      ...this.#uncertain.map((move) => ({
        ...placesOf(move),
        state: 'uncertain' as const,
        reason: move.reason ?? '',
      })),
    ]
  }

  /** An operator has looked at both places: the journal forgets the move. @throws StorageError NOT_HELD, BUSY */
  async settle(op: string): Promise<void> {
    if (this.#waiting.some((move) => move.op === op)) throw endsByItself(op)
    const move = this.#uncertain.find((each) => each.op === op)
    if (move === undefined) throw unknownMove(op)
    await this.#parts.mover.done(op).catch((cause: unknown) => {
      throw asStorageError(cause, `the journal of moves cannot forget ${op}`)
    })
    this.#uncertain = this.#uncertain.filter((each) => each !== move)
    this.#parts.log.warn('an interrupted move was settled by an operator', fieldsOf(move))
  }

  /** Takes up what waits. Each move fails for itself. */
  run(): Promise<void> {
    this.#running ??= this.#takeUp().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #takeUp(): Promise<void> {
    const moves = this.#waiting
    const left: Recovered[] = []
    for (const move of moves) {
      const isDone = await this.#end(move).catch((error: unknown) => {
        this.#parts.log.warn('an interrupted move cannot be ended yet; it is tried again', {
          ...fieldsOf(move),
          error: describeError(error),
        })
        return false
      })
      if (!isDone) left.push(move)
    }
    this.#waiting = left
  }

  /** @returns false when it must wait */
  async #end(move: Recovered): Promise<boolean> {
    const { mover, paths, declarations, locks, log } = this.#parts
    if (move.state === 'discarded') {
      log.info('an interrupted move was undone: its source is whole', fieldsOf(move))
      await mover.done(move.op)
      return true
    }
    const tag = parseMoveTag(move.tag)
    const to = tag === null ? null : paths.find(tag.toId)
    if (tag === null || to === null) {
      log.warn('an interrupted move waits: its target is not attached to this node', fieldsOf(move))
      return false
    }
    const { sector, type } = tag
    return locks.run(move.target.name, async () => {
      if (!(await declarations.declare(to, type, sector, to.meta.CanStore))) return false
      const from = paths.find(tag.fromId)
      await leaveSource(this.#parts, { sector, type, from, to, keepSource: move.keepSource }, async () => {
        if (move.state === 'target-durable') await mover.removeSource(move.op)
      })
      await mover.done(move.op)
      log.info('an interrupted move was ended', fieldsOf(move))
      return true
    })
  }

  #alarm(move: Recovered): void {
    this.#parts.log.error(
      'an interrupted move is not certain, so nothing was touched: look at both places, then say "storage settle" and move the sector again',
      { ...fieldsOf(move), reason: move.reason },
    )
  }
}

function placesOf({ op, source, target }: Recovered) {
  return { op, from: `${source.root}/${source.name}`, to: `${target.root}/${target.name}` }
}

function fieldsOf(move: Recovered) {
  return { ...placesOf(move), state: move.state }
}

function unknownMove(op: string) {
  const message = `no interrupted move ${op} is known here; 'storage moves' lists those that are`
  return storageError({ code: 'NOT_HELD', level: 'permanent', message })
}

function endsByItself(op: string) {
  const message = `the move ${op} is certain and ends by itself: attach both of its paths and let the sealer run`
  return storageError({ code: 'BUSY', level: 'permanent', message })
}
