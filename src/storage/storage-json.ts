import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { durably } from '../base/durable-steps.ts'
import { errorCode } from '../base/errors.ts'
import { writeDurably } from '../base/write-durably.ts'
import { storageError } from './errors.ts'

const entry = z.looseObject({ Path: z.string().min(1) })
const storageJson = z.looseObject({ StoragePaths: z.array(entry).nullish() })

/** `storage.json` of a repo: the directories attached to one node, in the order they are opened. */
export class StorageJson {
  readonly file: string

  constructor(repo: string) {
    this.file = join(repo, 'storage.json')
  }

  /** @returns the directories as they are written there; a file that does not exist lists none */
  async paths(): Promise<string[]> {
    return ((await this.#read()).StoragePaths ?? []).map((each) => each.Path)
  }

  /** Makes an empty list where there is none: something to edit, and to watch. */
  async ensure(): Promise<void> {
    const content = await this.#read()
    if (content.StoragePaths === undefined || content.StoragePaths === null)
      await this.#write({ ...content, StoragePaths: [] })
  }

  /** Appends a directory; one that is there already stays once. */
  async add(path: string): Promise<void> {
    const content = await this.#read()
    const entries = content.StoragePaths ?? []
    if (entries.some((each) => each.Path === path)) return
    await this.#write({ ...content, StoragePaths: [...entries, { Path: path }] })
  }

  /** Removes the entry whose text is equal, as lotus does. */
  async remove(path: string): Promise<void> {
    const content = await this.#read()
    const entries = content.StoragePaths ?? []
    const kept = entries.filter((each) => each.Path !== path)
    if (kept.length !== entries.length) await this.#write({ ...content, StoragePaths: kept })
  }

  async #read(): Promise<z.output<typeof storageJson>> {
    try {
      return storageJson.parse(JSON.parse(await readFile(this.file, 'utf8')))
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return {}
      throw storageError({
        code: 'BAD_METAFILE',
        level: 'permanent',
        message: `${this.file} is not a list of storage paths: correct it, it should read {"StoragePaths":[{"Path":"/mnt/a"}]}`,
        cause,
      })
    }
  }

  /** Whole and durable, with keys that are not ours as they were. */
  async #write(content: z.output<typeof storageJson>): Promise<void> {
    const text = JSON.stringify(content, null, 2)
    await durably('paths.listed', () => writeDurably(this.file, text, { mode: 0o644 }))
  }
}

/** The directory that an entry means: `~` is the home directory, anything relative starts where the node runs. */
export function locate(path: string): string {
  if (path === '~') return homedir()
  return resolve(path.startsWith('~/') ? join(homedir(), path.slice(2)) : path)
}
