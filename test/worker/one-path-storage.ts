import { access, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileTypesOf, type SectorFileType } from '../../src/sectors/file-types.ts'
import { type SectorId, sectorName } from '../../src/sectors/sector-id.ts'
import type { CacheRecords } from '../../src/storage/cache-records.ts'
import { storageError } from '../../src/storage/errors.ts'
import type { AcquiredFiles, AcquireRequest, LocalFile, NodeStorage } from '../../src/storage/node-storage.ts'
import { type Events, PATH_ID, SECTOR } from './sector-at-hand.ts'

/** One storage path in a real directory. Where files lie and what is left to do is what the tests look at. */
export class OnePathStorage {
  readonly directory: string
  readonly records: CacheRecords
  readonly events: Events
  readonly acquired: AcquireRequest[] = []
  /** Removals that fail, by type. */
  readonly stuck = new Map<SectorFileType, Error>()
  releaseFailure: Error | null = null

  constructor(directory: string, records: CacheRecords, events: Events) {
    this.directory = directory
    this.records = records
    this.events = events
  }

  file(type: SectorFileType, sector: SectorId = SECTOR.ID): string {
    return join(this.directory, type, sectorName(sector))
  }

  async find(type: SectorFileType): Promise<LocalFile | null> {
    const file = this.file(type)
    return access(file).then(
      () => ({ pathId: PATH_ID, file }),
      () => null,
    )
  }

  async acquire(request: AcquireRequest): Promise<AcquiredFiles> {
    this.events.push(`acquire ${request.task}`)
    this.acquired.push(request)
    for (const type of fileTypesOf(request.existing)) {
      if ((await this.find(type)) === null) throw notHeld(type)
    }
    for (const type of fileTypesOf(request.existing | request.allocate)) {
      await mkdir(join(this.directory, type), { recursive: true })
    }
    const scratch = await mkdtemp(join(this.directory, 'scratch-'))
    const types = fileTypesOf(request.existing | request.allocate)
    // What a task makes is its sector's own; what is laid out beforehand serves every sector of a test.
    const made = fileTypesOf(request.allocate)
    const files = Object.fromEntries(
      types.map((type) => {
        const file = made.includes(type) ? this.file(type, request.sector.ID) : this.file(type)
        return [type, { pathId: PATH_ID, file }]
      }),
    )
    return {
      files,
      scratch,
      file: (type) => {
        const held = files[type]
        if (held === undefined) throw notHeld(type)
        return held
      },
      release: async () => {
        this.events.push(`release ${request.task}`)
        await rm(scratch, { recursive: true, force: true })
        if (this.releaseFailure !== null) throw this.releaseFailure
      },
    }
  }

  async remove(_sector: unknown, type: SectorFileType): Promise<void> {
    this.events.push(`remove ${type}`)
    const failure = this.stuck.get(type)
    if (failure !== undefined) throw failure
    if ((await this.find(type)) === null) throw notHeld(type)
    await rm(this.file(type), { recursive: true })
  }

  /** As the whole interface; a test that calls what is not here fails loudly. */
  asNodeStorage(more: Partial<NodeStorage> = {}): NodeStorage {
    return Object.assign(this, more) as unknown as NodeStorage
  }
}

export function notHeld(type: string): Error {
  return storageError({ code: 'NOT_FOUND', level: 'permanent', message: `no ${type} on this node` })
}
