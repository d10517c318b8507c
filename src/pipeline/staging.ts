import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from '../base/write-durably.ts'

/**
 * `<repo>/staging`: data of pieces on its way into a sector, and private directories of the sealer's own
 * tasks.
 */
export class Staging {
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** Opens it and clears away what no sector speaks for: a piece whose sector was never made, scratch. */
  static async open(repo: string, inUse: ReadonlySet<string>): Promise<Staging> {
    const directory = join(repo, 'staging')
    await mkdir(directory, { recursive: true })
    for (const name of await readdir(directory)) {
      if (!inUse.has(name)) await rm(join(directory, name), { recursive: true, force: true })
    }
    return new Staging(directory)
  }

  path(name: string, file = ''): string {
    return join(this.#directory, name, file)
  }

  /** @returns the name of a new, empty directory */
  async make(): Promise<string> {
    const name = randomUUID()
    await mkdir(this.path(name))
    return name
  }

  /** Makes the directory and the names in it survive a power cut; the files' bytes are safe already. */
  async keep(name: string): Promise<void> {
    await syncDirectory(this.path(name))
    await syncDirectory(this.#directory)
  }

  async drop(name: string): Promise<void> {
    await rm(this.path(name), { recursive: true, force: true })
  }

  /** Lends a private directory for the length of a task. */
  async scratch<T>(use: (directory: string) => Promise<T>): Promise<T> {
    const name = await this.make()
    try {
      return await use(this.path(name))
    } finally {
      await this.drop(name)
    }
  }
}
