import { basename } from 'node:path'
import type { Kysely } from 'kysely'
import { formatBytes } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { durably } from '../base/durable-steps.ts'
import { describeError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { diskUsage } from '../native/space.ts'
import type { SpaceApi } from '../protocol/apis.ts'
import type { Reservation, SpaceRequest } from '../protocol/types.ts'
import { FILE_TYPE_BIT, type SectorFileType } from '../sectors/file-types.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'
import type { WorkerTables } from '../state/tables.ts'
import { bytesOnDisk } from './disk-use.ts'
import { asStorageError, storageError } from './errors.ts'
import { KeyedLock } from './keyed-lock.ts'
import type { SpaceViews } from './space-views.ts'
import type { StoragePath } from './storage-path.ts'

/** Space wanted on one path: for a sector file, or for a directory of private scratch. */
export interface Want {
  readonly what: SectorFileType | { readonly scratch: string }
  readonly path: StoragePath
  /** Exact peak size, what admission looks at. */
  readonly neededBytes: number
  /** The field's number, what listings show. */
  readonly reportedBytes: number
}

interface Grant {
  readonly request: SpaceRequest['entries'][number]
  readonly sector: SectorId
  readonly task: string
  readonly path: StoragePath
  readonly what: Want['what']
  /** How many running operations rely on it: the last one gives it back. */
  holders: number
}

export interface GrantsOptions {
  readonly db: Kysely<WorkerTables>
  /** The account: the sealer's, or this node's own. */
  readonly space: SpaceApi
  readonly views: SpaceViews
  readonly paths: () => StoragePath[]
  /** This node's name in the account; the same over restarts. */
  readonly owner: string
  readonly clock: Clock
  readonly log: Logger
}

/**
 * What this node was granted. A grant is written down before it is asked for and forgotten after it was given
 * back, so that whatever happens between, no reservation is held that nobody remembers.
 */
export class Grants {
  readonly #options: GrantsOptions
  readonly #held = new Map<string, Grant>()
  /** Given back by us, not yet by the account. */
  readonly #returning = new Set<string>()
  /** Reserving and giving back never overtake each other on their way to the account. */
  readonly #turns = new KeyedLock()
  #others: Reservation[] = []

  constructor(options: GrantsOptions) {
    this.#options = options
  }

  /**
   * Reserves for all of `wants` or for none.
   * @returns gives it all back; calling it again does nothing
   * @throws StorageError NO_SPACE (temporary)
   */
  async reserve(task: string, sector: SectorId, wants: readonly Want[]): Promise<() => Promise<void>> {
    if (wants.length === 0) return async () => undefined
    const wanted = await Promise.all(wants.map((want) => entryOf(want, sector)))
    const entries = wanted.map(({ entry }) => entry)
    const ids = entries.map((entry) => entry.id)
    this.#hold(task, sector, wanted)
    try {
      await this.#remember(task, sector, entries)
    } catch (cause) {
      await this.#giveBack(ids)
      throw asStorageError(cause, 'a grant could not be written down', { sector })
    }
    const filesystems = await this.#options.views.viewsOf(this.#options.paths())
    const { owner, space } = this.#options
    const answer = await this.#turns
      .run('account', () => space.SpaceReserve({ owner, task, sector, entries, filesystems }))
      .catch(async (cause: unknown) => {
        // Whether it was granted is not known; giving it back is right either way.
        await this.#giveBack(ids)
        throw asStorageError(cause, 'the account of space did not answer', { sector })
      })
    if (answer.outcome === 'granted') {
      for (const { entry: request } of wanted) {
        const held = this.#held.get(request.id)
        if (held !== undefined) this.#held.set(request.id, { ...held, request })
      }
      return once(() => this.#giveBack(ids))
    }
    await this.#giveBack(ids)
    throw storageError({
      code: 'NO_SPACE',
      level: 'temporary',
      message:
        `no space for ${wants.map((want) => wordOf(want.what)).join(', ')} of ${sectorName(sector)}: ` +
        `${formatBytes(answer.wantedBytes)} wanted, ${formatBytes(answer.availableBytes)} left after reservations`,
      sector,
      storagePath: answer.pathId,
    })
  }

  /** Reservations on a path, as listings count them: this node's with what landed by now, others' as last heard. */
  async reservedOn(path: StoragePath): Promise<{ reportedBytes: number; onDiskBytes: number }[]> {
    const own = [...this.#held.values()].filter((grant) => grant.path.id === path.id)
    const counted = await Promise.all(
      own.map(async (grant) => ({
        reportedBytes: grant.request.reportedBytes,
        onDiskBytes: await landedBytes(grant),
      })),
    )
    return [...counted, ...this.#others.filter((each) => each.pathId === path.id)]
  }

  /** Tells the account what has landed, and gives back what could not be given back before. */
  async report(): Promise<void> {
    const { space, views, paths, owner } = this.#options
    if (this.#returning.size > 0) await this.#flush()
    const landed = await Promise.all(
      [...this.#held.values()].map(async (grant) => ({
        id: grant.request.id,
        onDiskBytes: await landedBytes(grant),
      })),
    )
    await space.SpaceLanded(landed, await views.viewsOf(paths()))
    this.#others = (await space.SpaceReservations()).filter((each) => each.owner !== owner)
  }

  /** After a start no task runs: everything that was granted before is given back. */
  async settle(): Promise<void> {
    const { db, space, owner } = this.#options
    const rows = await db.selectFrom('grants').select('id').execute()
    for (const { id } of rows) if (!this.#held.has(id)) this.#returning.add(id)
    const known = await space.SpaceReservations()
    for (const each of known) {
      if (each.owner === owner && !this.#held.has(each.id)) this.#returning.add(each.id)
    }
    await this.#flush()
  }

  /** Says again what running work holds: for a sealer that lost or restored its account. */
  async announce(): Promise<void> {
    const { owner, space, views, paths } = this.#options
    const filesystems = await views.viewsOf(paths())
    for (const [id, grant] of this.#held) {
      const entries = [{ ...grant.request, onDiskBytes: await landedBytes(grant) }]
      const { task, sector } = grant
      const answer = await this.#turns.run('account', async () => {
        // Given back meanwhile: nobody would give it back a second time.
        if (!this.#held.has(id)) return null
        return space.SpaceReserve({ owner, task, sector, entries, filesystems })
      })
      if (answer?.outcome === 'refused') {
        this.#options.log.warn('space of running work is not in the account', {
          sector: sectorName(sector),
          task,
        })
      }
    }
  }

  #hold(task: string, sector: SectorId, wanted: readonly WantedEntry[]): void {
    for (const { want, entry: request } of wanted) {
      const known = this.#held.get(request.id)
      this.#returning.delete(request.id)
      this.#held.set(request.id, {
        // What is held already is what was granted: a second request that is refused must not change it.
        request: known?.request ?? request,
        sector,
        task,
        path: want.path,
        what: want.what,
        holders: (known?.holders ?? 0) + 1,
      })
    }
  }

  async #remember(task: string, sector: SectorId, entries: SpaceRequest['entries']): Promise<void> {
    const created_at = this.#options.clock.now()
    for (const request of entries) {
      const row = {
        id: request.id,
        task,
        miner: sector.Miner,
        number: sector.Number,
        file_type: request.fileType,
        path_id: request.pathId,
        needed_bytes: request.neededBytes,
        reported_bytes: request.reportedBytes,
        created_at,
      }
      const insert = this.#options.db
        .insertInto('grants')
        .values(row)
        .onConflict((same) => same.column('id').doUpdateSet({ task, created_at }))
      await durably('grants.remembered', () => insert.execute())
    }
  }

  async #giveBack(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const grant = this.#held.get(id)
      if (grant === undefined) continue
      grant.holders -= 1
      if (grant.holders > 0) continue
      this.#held.delete(id)
      this.#returning.add(id)
    }
    await this.#flush().catch((error: unknown) => {
      this.#options.log.warn('space could not be given back yet', { error: describeError(error) })
    })
  }

  async #flush(): Promise<void> {
    await this.#turns.run('account', async () => {
      const ids = [...this.#returning]
      if (ids.length === 0) return
      await this.#options.space.SpaceRelease(ids)
      // Reserved again meanwhile: that grant stays written down, and is asked for after this release.
      const settled = ids.filter((id) => this.#returning.has(id))
      const forget = this.#options.db.deleteFrom('grants').where('id', 'in', settled)
      await durably('grants.forgotten', () => forget.execute())
      for (const id of settled) this.#returning.delete(id)
    })
  }
}

interface WantedEntry {
  readonly want: Want
  readonly entry: SpaceRequest['entries'][number]
}

async function entryOf(want: Want, sector: SectorId): Promise<WantedEntry> {
  const { what, path, neededBytes, reportedBytes } = want
  // A reservation belongs to (path, type, sector): asked for again it replaces itself. Scratch is one task's.
  const id = typeof what === 'string' ? `${what}/${sectorName(sector)}` : `scratch/${basename(what.scratch)}`
  const entry = {
    id: `${path.id}/${id}`,
    fileType: typeof what === 'string' ? FILE_TYPE_BIT[what] : 0,
    pathId: path.id,
    neededBytes,
    reportedBytes,
    onDiskBytes: await bytesOf(path, what, sector),
  }
  return { want, entry }
}

async function bytesOf(path: StoragePath, what: Want['what'], sector: SectorId): Promise<number> {
  return typeof what === 'string' ? bytesOnDisk(path, what, sector) : ((await diskUsage(what.scratch)) ?? 0)
}

function wordOf(what: Want['what']): string {
  return typeof what === 'string' ? what : 'scratch'
}

async function landedBytes(grant: Grant): Promise<number> {
  // A path that does not answer has landed nothing that could be counted on.
  return bytesOf(grant.path, grant.what, grant.sector).catch(() => 0)
}

function once(work: () => Promise<void>): () => Promise<void> {
  let isDone = false
  return async () => {
    if (isDone) return
    isDone = true
    await work()
  }
}
