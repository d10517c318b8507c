import { storageError } from './errors.ts'
import type { StoragePath } from './storage-path.ts'

/**
 * How long a disk may take to say whether a file is there. A disk that spins up needs some 10 s, an NFS server that
 * restarts may need more; a path that is thought silent too early is only left alone until it answers.
 */
const PATIENCE_MS = 20_000

/**
 * Asks disks that may never answer: a call into a hard-mounted NFS whose server is gone cannot be interrupted, and
 * each such call keeps a thread. Whoever waits for one is let go after a while, the path is parked, and until that
 * call has come back nobody asks its disk anew.
 *
 * Real time, whatever clock the node has: it is the disk that takes it.
 */
export class Patience {
  readonly #ms: number
  /** Paths that are being asked; the promise ends with the answer, or with the patience. */
  readonly #asked = new Map<StoragePath, Promise<unknown>>()
  /** Directories whose opening has not come back. */
  readonly #unopened = new Set<string>()

  constructor(ms = PATIENCE_MS) {
    this.#ms = ms
  }

  /**
   * One question at a time for each path: a disk that falls silent keeps one thread, however many ask.
   * @throws StorageError PATH_PARKED when the disk is silent; what `ask` throws
   */
  async answerOf<T>(path: StoragePath, ask: () => Promise<T>): Promise<T> {
    for (let before = this.#asked.get(path); before !== undefined; before = this.#asked.get(path))
      await before
    if (path.isSilent) throw path.parkedError()
    const answer = ask()
    const inTime = this.#inTime(answer)
    this.#asked.set(path, inTime)
    const isAnswered = await inTime
    this.#asked.delete(path)
    if (isAnswered) return answer
    path.fallSilent(this.#ms)
    void ended(answer).then(() => path.speakAgain())
    throw path.parkedError()
  }

  /** As {@link answerOf}, for a directory that is no open path yet. @throws StorageError IO when it is silent */
  async openingOf<T>(directory: string, open: () => Promise<T>): Promise<T> {
    if (this.#unopened.has(directory)) throw this.#silence(directory)
    const opened = open()
    if (await this.#inTime(opened)) return opened
    this.#unopened.add(directory)
    void ended(opened).then(() => this.#unopened.delete(directory))
    throw this.#silence(directory)
  }

  #silence(directory: string): Error {
    const waited = Math.ceil(this.#ms / 1000)
    return storageError({
      code: 'IO',
      level: 'temporary',
      message: `the filesystem of ${directory} has not answered for ${waited} s: is its server, or its disk, there?`,
    })
  }

  /** Whether it settles in time, either way. */
  #inTime(event: Promise<unknown>): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), this.#ms)
      void ended(event).then(() => {
        clearTimeout(timer)
        resolve(true)
      })
    })
  }
}

function ended(event: Promise<unknown>): Promise<void> {
  return event.then(
    () => undefined,
    () => undefined,
  )
}
