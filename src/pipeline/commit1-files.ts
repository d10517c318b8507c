import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { durably } from '../base/durable-steps.ts'
import { errorCode } from '../base/errors.ts'
import { syncDirectory, writeDurably } from '../base/write-durably.ts'
import { type SectorId, sectorName } from '../sectors/sector-id.ts'

const DIRECTORY = 'commit1'

/** `<repo>/commit1`: outputs of C1 (100 KB at 2 KiB, some 50 MB at 32 GiB) until their C2 has landed. */
export class Commit1Files {
  readonly #repo: string

  private constructor(repo: string) {
    this.#repo = repo
  }

  static async open(repo: string): Promise<Commit1Files> {
    const directory = join(repo, DIRECTORY)
    await mkdir(directory, { recursive: true })
    await syncDirectory(repo)
    // What a power cut left of writeDurably.
    const unfinished = (await readdir(directory)).filter((name) => name.endsWith('.tmp'))
    for (const name of unfinished) await rm(join(directory, name), { force: true })
    return new Commit1Files(repo)
  }

  /** Absolute path of a file named as the record names it. */
  path(file: string): string {
    return join(this.#repo, file)
  }

  /**
   * @param output base64
   * @returns the file's name for the record, relative to the repo
   */
  async write(sector: SectorId, output: string): Promise<string> {
    const file = `${DIRECTORY}/${sectorName(sector)}.json`
    await durably('commit1.kept', () => writeDurably(this.path(file), Buffer.from(output, 'base64')))
    return file
  }

  /** @returns base64, or null when it is no longer there */
  async read(file: string): Promise<string | null> {
    try {
      return await readFile(this.path(file), 'base64')
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return null
      throw error
    }
  }

  async remove(file: string): Promise<void> {
    await durably('commit1.removed', () => rm(this.path(file), { force: true }))
  }
}
