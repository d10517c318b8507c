import { lstat, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, errorCode } from '../base/errors.ts'
import { FILE_TYPE_BIT, type FileTypeBits, fileTypesOf, type SectorFileType } from '../sectors/file-types.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { sectorName } from '../sectors/sector-id.ts'
import { neededSpace, reportedSpace } from '../sectors/space-tables.ts'
import { returnBorrowed } from './borrowed-copies.ts'
import { asStorageError, type StorageError, storageError } from './errors.ts'
import type { Fetcher } from './fetch-sector.ts'
import type { Want } from './grants.ts'
import type { AcquiredFiles, AcquireRequest, LocalFile } from './node-storage.ts'
import type { StorageParts } from './parts.ts'
import { firstSound, fits, noRoom, type Placement, rankedPaths, servesKind } from './path-choice.ts'
import { OWN_DIRECTORY } from './path-identity.ts'
import { relativeName, type StoragePath } from './storage-path.ts'

/** Directories of private scratch lie here below a storage path. */
export const SCRATCH = join(OWN_DIRECTORY, 'scratch')

type Places = Map<SectorFileType, StoragePath>

/** Where each file of one acquisition lies, or will. */
interface Chosen {
  readonly existing: Places
  readonly allocated: Places
  /** Of the allocated ones, those that lie there already and so cannot go elsewhere. */
  readonly fixed: ReadonlySet<string>
  readonly scratch: { readonly path: StoragePath; readonly directory: string }
}

/**
 * Local files for one task. What exists is used where it is, what is missing is brought from another node, the
 * rest is given a path; space is reserved for all or for nothing.
 * @throws StorageError NOT_HELD, NO_SPACE, NO_PATH, PATH_PARKED; nothing is held then
 */
export async function acquireFiles(
  parts: StorageParts,
  fetcher: Fetcher,
  request: AcquireRequest,
): Promise<AcquiredFiles> {
  return parts.locks.run(sectorName(request.sector.ID), async () => {
    const existing = await existingPlaces(parts, fetcher, request)
    const full = new Set<string>()
    let refusal: StorageError | null = null
    for (;;) {
      const chosen = await choose(parts, request, existing, full).catch((error: unknown) => {
        // Why the first choice was refused says more than that no other is left.
        throw refusal ?? error
      })
      try {
        const giveBack = await parts.grants.reserve(request.task, request.sector.ID, wants(request, chosen))
        return await take(parts, request, chosen, giveBack)
      } catch (error) {
        refusal = refusedElsewhere(error, chosen, full)
      }
    }
  })
}

/** A path that turned out to be full is passed over once; any other failure ends the acquisition. */
function refusedElsewhere(error: unknown, chosen: Chosen, full: Set<string>): StorageError {
  const { code, storagePath } = error as StorageError
  if (code !== 'NO_SPACE' || storagePath === null || storagePath === undefined) throw error
  if (full.has(storagePath) || chosen.fixed.has(storagePath)) throw error
  if (![...chosen.allocated.values()].some((path) => path.id === storagePath)) throw error
  full.add(storagePath)
  return error as StorageError
}

async function existingPlaces(
  parts: StorageParts,
  fetcher: Fetcher,
  request: AcquireRequest,
): Promise<Places> {
  const places: Places = new Map()
  for (const type of fileTypesOf(request.existing)) {
    const here = async () => holderOf(parts, request, type)
    let path = await here()
    if (path === null) {
      await fetcher.fetch(request.sector, type, request.kind, 'copy')
      path = await here()
    }
    if (path === null) throw notHeld(request, type)
    await path.assertIdentity()
    places.set(type, path)
  }
  return places
}

/** An own path that holds the file: one of the right kind if there is one. */
async function holderOf(
  parts: StorageParts,
  request: AcquireRequest,
  type: SectorFileType,
): Promise<StoragePath | null> {
  const here = await parts.paths.holdersOf(type, request.sector.ID)
  return here.find((path) => servesKind(path, request.kind)) ?? here[0] ?? null
}

async function choose(
  parts: StorageParts,
  request: AcquireRequest,
  existing: Places,
  full: ReadonlySet<string>,
): Promise<Chosen> {
  const allocated: Places = new Map()
  const fixed = new Set<string>()
  for (const type of fileTypesOf(request.allocate)) {
    const placement = { sector: request.sector, type, kind: request.kind }
    const here = await parts.paths.holdersOf(type, request.sector.ID)
    const known = existing.get(type) ?? here.find((path) => path.parked === null && fits(path, placement))
    if (known !== undefined) fixed.add(known.id)
    allocated.set(type, known ?? (await newPlace(parts, placement, full)))
  }
  const path = [...allocated.values(), ...existing.values()][0] ?? anyPath(parts, request)
  await path.assertIdentity()
  const scratch = { path, directory: join(path.directory, SCRATCH, parts.operations.next()) }
  return { existing, allocated, fixed, scratch }
}

async function newPlace(
  parts: StorageParts,
  placement: Placement,
  full: ReadonlySet<string>,
): Promise<StoragePath> {
  const ranked = await rankedPaths(parts, placement)
  const path = await firstSound(
    parts,
    ranked.filter(({ id }) => !full.has(id)),
  )
  if (path === null) throw noRoom(placement)
  return path
}

/** A task without files still wants its scratch somewhere. */
function anyPath(parts: StorageParts, { kind, sector }: AcquireRequest): StoragePath {
  const path = parts.paths.usable().find((each) => servesKind(each, kind))
  if (path !== undefined) return path
  throw storageError({
    code: 'NO_PATH',
    level: 'permanent',
    message: `this node has no usable path for ${kind}: attach one`,
    sector: sector.ID,
  })
}

function wants(request: AcquireRequest, { allocated, scratch }: Chosen): Want[] {
  const proof = sealProof(request.sector.ProofType)
  const files = [...allocated].map(([type, path]) => ({
    what: type,
    path,
    neededBytes: neededSpace(type, proof, request.kind),
    reportedBytes: reportedSpace(type, proof.sectorSize, request.kind),
  }))
  const scratchBytes = request.scratchBytes ?? 0
  if (scratchBytes <= 0) return files
  // The field reports no scratch of its own.
  const own = {
    what: { scratch: scratch.directory },
    path: scratch.path,
    neededBytes: scratchBytes,
    reportedBytes: 0,
  }
  return [...files, own]
}

async function take(
  parts: StorageParts,
  request: AcquireRequest,
  chosen: Chosen,
  giveBack: () => Promise<void>,
): Promise<AcquiredFiles> {
  try {
    await mkdir(chosen.scratch.directory, { recursive: true, mode: 0o755 })
  } catch (error) {
    await giveBack()
    throw asStorageError(error, 'scratch could not be made', { storagePath: chosen.scratch.path.id })
  }
  return new Acquired(parts, request, chosen, giveBack)
}

class Acquired implements AcquiredFiles {
  readonly files: Readonly<Partial<Record<SectorFileType, LocalFile>>>
  readonly scratch: string
  readonly #parts: StorageParts
  readonly #request: AcquireRequest
  readonly #chosen: Chosen
  readonly #giveBack: () => Promise<void>
  readonly #stopMaking: (() => void)[]
  #released: Promise<void> | null = null

  constructor(parts: StorageParts, request: AcquireRequest, chosen: Chosen, giveBack: () => Promise<void>) {
    const places = [...chosen.existing, ...chosen.allocated]
    this.files = Object.fromEntries(
      places.map(([type, path]) => [type, { pathId: path.id, file: path.fileOf(type, request.sector.ID) }]),
    )
    this.scratch = chosen.scratch.directory
    this.#parts = parts
    this.#request = request
    this.#chosen = chosen
    this.#giveBack = giveBack
    this.#stopMaking = [
      ...[...chosen.allocated].map(([type, path]) => path.startMaking(type, request.sector.ID)),
      ...[...chosen.existing].map(([type, path]) => path.startUsing(relativeName(type, request.sector.ID))),
      chosen.scratch.path.startUsing('scratch'),
    ]
    // Of an unsealed copy other parts go on being read while one is added.
    for (const [type, path] of chosen.allocated) {
      if (type !== 'unsealed') parts.declarations.pause(path, type, request.sector.ID)
    }
  }

  file(type: SectorFileType): LocalFile {
    const file = this.files[type]
    if (file === undefined) throw notHeld(this.#request, type)
    return file
  }

  release(): Promise<void> {
    this.#released ??= this.#release()
    return this.#released
  }

  async #release(): Promise<void> {
    const { log } = this.#parts
    // Declared while it still counts as being made: until then the path cannot be detached.
    for (const [type, path] of this.#chosen.allocated) await this.#declare(type, path)
    await rm(this.scratch, { recursive: true, force: true }).catch((error: unknown) => {
      log.warn('scratch could not be removed', { directory: this.scratch, error: describeError(error) })
    })
    for (const stop of this.#stopMaking) stop()
    if (this.#request.borrow) await this.#returnBorrowed()
    await this.#giveBack()
  }

  async #returnBorrowed(): Promise<void> {
    for (const [type, path] of this.#chosen.existing) {
      if (!this.#chosen.allocated.has(type))
        await returnBorrowed(this.#parts, this.#request.sector, type, path)
    }
  }

  /**
   * The index knows what the disk holds, also after a task that failed, before anybody hears that it ended. A store
   * path holds the copy of record.
   */
  async #declare(type: SectorFileType, path: StoragePath): Promise<void> {
    const { declarations, closing, log } = this.#parts
    const sector = this.#request.sector.ID
    // The last of several tasks that make one file declares it.
    if ((path.inTheMaking.get(relativeName(type, sector)) ?? 0) > 1) return
    try {
      await lstat(path.fileOf(type, sector))
      await declarations.declareSurely(path, type, sector, path.meta.CanStore, closing)
    } catch (error) {
      // Not made; or the node stops while the sealer is away, and declares it when it starts again.
      if (errorCode(error) === 'ENOENT' || closing.aborted) return
      log.warn('a sector file cannot be seen', { storagePath: path.id, type, error: describeError(error) })
    }
  }
}

function notHeld({ sector, existing }: AcquireRequest, type: SectorFileType): StorageError {
  const isAsked: FileTypeBits = existing & FILE_TYPE_BIT[type]
  return storageError({
    code: 'NOT_HELD',
    level: 'permanent',
    message: isAsked
      ? `${type} of ${sectorName(sector.ID)} lies on no path of this node, and no other node gave it`
      : `${type} of ${sectorName(sector.ID)} was not acquired`,
    sector: sector.ID,
  })
}
