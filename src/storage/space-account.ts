import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { spaceAdmit } from '../native/space.ts'
import type { SpaceApi } from '../protocol/apis.ts'
import type { FilesystemView, Reservation, SpaceAnswer, SpaceRequest } from '../protocol/types.ts'
import { currentViews, groupFilesystems, type SeenView } from './filesystem-groups.ts'
import { KeyedLock } from './keyed-lock.ts'
import type { ReservationStore } from './reservation-store.ts'

export interface SpaceAccountOptions {
  readonly store: ReservationStore
  readonly clock: Clock
  readonly log: Logger
  /** Bytes of each filesystem that are never handed out. */
  readonly floorBytes: number
}

/**
 * After a start nobody has told yet where the known paths lie. Until their nodes' first heartbeats have come,
 * what is reserved on an unplaced path is counted against every filesystem: too little for a moment beats too much.
 */
const PLACING_MS = 30_000

/**
 * The account of space: one writer, per filesystem, so that a share seen by several hosts and two workers on
 * one disk are counted once. Sums are derived from the entries whenever they are needed, and never kept.
 */
export class SpaceAccount implements SpaceApi {
  readonly #options: SpaceAccountOptions
  readonly #views = new Map<string, SeenView>()
  readonly #turns = new KeyedLock()
  readonly #startedMs: number

  constructor(options: SpaceAccountOptions) {
    this.#options = options
    this.#startedMs = options.clock.monotonicMs()
  }

  /** All entries or none; an entry whose id is held already is replaced, so asking twice is harmless. */
  async SpaceReserve(request: SpaceRequest): Promise<SpaceAnswer> {
    return this.#turns.run('account', async () => {
      this.#see(request.filesystems)
      const held = await this.#options.store.all()
      this.#forgetStale(held)
      const verdict = this.#admit(held, request)
      if (verdict.granted) {
        await this.#options.store.put(
          request.entries.map((entry) => ({
            ...entry,
            owner: request.owner,
            task: request.task,
            sector: request.sector,
          })),
        )
        return { outcome: 'granted' }
      }
      const { path, wantedBytes, availableBytes } = verdict
      this.#options.log.info('space refused', {
        task: request.task,
        storagePath: path,
        wantedBytes,
        availableBytes,
      })
      return { outcome: 'refused', pathId: path, wantedBytes, availableBytes }
    })
  }

  async SpaceRelease(ids: string[]): Promise<void> {
    await this.#turns.run('account', () => this.#options.store.remove(ids))
  }

  async SpaceLanded(landed: { id: string; onDiskBytes: number }[], views: FilesystemView[]): Promise<void> {
    await this.#turns.run('account', async () => {
      this.#see(views)
      await this.#options.store.landed(landed)
    })
  }

  async SpaceReservations(): Promise<Reservation[]> {
    return this.#options.store.all()
  }

  #see(views: readonly FilesystemView[]): void {
    const atMs = this.#options.clock.monotonicMs()
    for (const view of views) this.#views.set(keyOf(view), { view, atMs })
  }

  #forgetStale(held: readonly Reservation[]): void {
    const heldPaths = new Set(held.map(({ pathId }) => pathId))
    const current = currentViews([...this.#views.values()], heldPaths, this.#options.clock.monotonicMs())
    this.#views.clear()
    for (const seen of current) this.#views.set(keyOf(seen.view), seen)
  }

  #admit(held: readonly Reservation[], request: SpaceRequest) {
    const { groups, paths } = groupFilesystems([...this.#views.values()])
    const placed = new Set(paths.map((each) => each.pathId))
    const isPlacing = this.#options.clock.monotonicMs() - this.#startedMs < PLACING_MS
    const unplacedBytes = held
      .filter((each) => isPlacing && !placed.has(each.pathId))
      .reduce((sum, each) => sum + Math.max(0, each.neededBytes - each.onDiskBytes), 0)
    return spaceAdmit(
      {
        filesystems: groups.map(({ id, availableBytes }) => ({
          id,
          availableBytes,
          floorBytes: this.#options.floorBytes + unplacedBytes,
        })),
        paths: paths.map(({ pathId, groupId, maxBytes, usedBytes }) => ({
          id: pathId,
          filesystem: groupId,
          maxBytes: maxBytes === 0 ? null : maxBytes,
          usedBytes,
        })),
        held: held.filter((each) => placed.has(each.pathId)).map(toEntry),
      },
      request.entries.map(toEntry),
    )
  }
}

function keyOf({ pathId, machine }: FilesystemView): string {
  return `${pathId} ${machine}`
}

function toEntry(entry: { id: string; pathId: string; neededBytes: number; onDiskBytes: number }) {
  return { id: entry.id, path: entry.pathId, bytes: entry.neededBytes, onDiskBytes: entry.onDiskBytes }
}
