import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../base/errors.ts'
import { FILE_TYPES, isDirectoryType, type SectorFileType } from '../sectors/file-types.ts'
import { parseSectorName, type SectorId } from '../sectors/sector-id.ts'

/** Directory of unfinished transfers inside a type directory; never declared, never served. */
export const FETCHING = 'fetching'

export interface TypeDirectory {
  readonly type: SectorFileType
  readonly sectors: SectorId[]
  /** Names that are no sector file of this type; lotus refuses to start over them, we name them and go on. */
  readonly foreign: string[]
}

/** Makes the type directories that are missing, as the field does at open. A read-only path keeps what it has. */
export async function makeTypeDirectories(directory: string): Promise<void> {
  for (const type of FILE_TYPES) {
    await mkdir(join(directory, type), { recursive: true, mode: 0o755 }).catch((error: unknown) => {
      if (!['EROFS', 'EACCES', 'EPERM'].includes(errorCode(error) ?? '')) throw error
    })
  }
}

/** What one type directory holds; one that does not exist holds nothing. */
export async function scanTypeDirectory(directory: string, type: SectorFileType): Promise<TypeDirectory> {
  const entries = await readdir(join(directory, type), { withFileTypes: true }).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  })
  const found: TypeDirectory = { type, sectors: [], foreign: [] }
  for (const entry of entries) {
    if (entry.name === FETCHING) continue
    const sector = parseSectorName(entry.name)
    const isRightKind = isDirectoryType(type) ? entry.isDirectory() : entry.isFile()
    if (sector !== null && isRightKind) found.sectors.push(sector)
    else found.foreign.push(entry.name)
  }
  return found
}

/** All six type directories. */
export async function scanPath(directory: string): Promise<TypeDirectory[]> {
  return Promise.all(FILE_TYPES.map((type) => scanTypeDirectory(directory, type)))
}
