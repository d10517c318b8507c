import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes } from '../base/bytes.ts'
import { durably } from '../base/durable-steps.ts'
import { syncDirectory } from '../base/write-durably.ts'
import { pipelineError } from './errors.ts'

/**
 * `<repo>/staging`: data of pieces on its way into a sector, and private directories of the sealer's own
 * tasks.
 */
export class Staging {
  readonly #directory: string
  readonly #freeBytes: FreeBytes

  private constructor(directory: string, freeBytes: FreeBytes) {
    this.#directory = directory
    this.#freeBytes = freeBytes
  }

  /** Opens it and clears away what no sector speaks for: a piece whose sector was never made, scratch. */
  static async open(
    repo: string,
    inUse: ReadonlySet<string>,
    freeBytes: FreeBytes = freeBytesOf,
  ): Promise<Staging> {
    const directory = join(repo, 'staging')
    await mkdir(directory, { recursive: true })
    for (const name of await readdir(directory)) {
      if (!inUse.has(name)) await rm(join(directory, name), { recursive: true, force: true })
    }
    return new Staging(directory, freeBytes)
  }

  path(name: string, file = ''): string {
    return join(this.#directory, name, file)
  }

  /**
   * @param bytes what is to come into it, unless it is little
   * @returns the name of a new, empty directory
   * @throws PipelineError NO_SPACE: `state.sqlite` lies in the same filesystem, and a full one stops every sector
   */
  async make(bytes = 0): Promise<string> {
    if (bytes > 0) await this.#refuseWithoutRoom(bytes)
    const name = randomUUID()
    await mkdir(this.path(name))
    return name
  }

  /** Makes the directory and the names in it survive a power cut; the files' bytes are safe already. */
  async keep(name: string): Promise<void> {
    await durably('staging.kept', async () => {
      await syncDirectory(this.path(name))
      await syncDirectory(this.#directory)
    })
  }

  async drop(name: string): Promise<void> {
    await durably('staging.dropped', () => rm(this.path(name), { recursive: true, force: true }))
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

  async #refuseWithoutRoom(bytes: number): Promise<void> {
    const free = await this.#freeBytes(this.#directory)
    if (free - bytes >= LEFT_FREE_BYTES) return
    const left = formatBytes(LEFT_FREE_BYTES)
    throw pipelineError({
      code: 'NO_SPACE',
      level: 'temporary',
      message: `the pieces have ${formatBytes(bytes)}, and ${this.#directory}, where they are received, has ${formatBytes(free)} free, of which ${left} must stay; nothing was received`,
    })
  }
}

/** What the filesystem of a directory has left for this user. */
type FreeBytes = (directory: string) => Promise<number>

/** For the state and for outputs of C1. */
const LEFT_FREE_BYTES = 256 * 2 ** 20

async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
