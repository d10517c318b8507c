import { join } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { describeError, errorCode } from '../base/errors.ts'
import { FILE_TYPES, type SectorFileType } from '../sectors/file-types.ts'
import type { Attachments } from './attachments.ts'
import type { StorageParts } from './parts.ts'
import type { StoragePath } from './storage-path.ts'

/** A change is looked at when its directory has been quiet for so long: a file is being copied in, perhaps. */
const QUIET_MS = 1000
/** … or after this long, for a directory that is never quiet. */
const LONGEST_MS = 30_000
/** inotify sees nothing of what other hosts do; these are asked instead, seldom. */
const POLL_MS = 30_000
const SHARED_FILESYSTEMS = [
  'nfs',
  'nfs4',
  'cifs',
  'smb',
  'smb2',
  'smb3',
  'ceph',
  '9p',
  'afs',
  'lustre',
  'gpfs',
]

/** Whether changes on such a filesystem may come from hosts that our kernel does not hear of. */
export function needsPolling(filesystemType: string): boolean {
  return SHARED_FILESYSTEMS.includes(filesystemType) || filesystemType.startsWith('fuse')
}

interface Hint {
  firstMs: number
  lastMs: number
}

/**
 * Hints that something came or went: an edited `storage.json`, a sector file. A hint only makes one directory be
 * looked at anew; what is missed (unmounts, overflows, other hosts) the reconcile finds.
 */
export class PathWatch {
  readonly #parts: StorageParts
  readonly #attachments: Attachments
  readonly #storageJson: FSWatcher
  readonly #watchers = new Map<StoragePath, FSWatcher>()
  readonly #hints = new Map<string, Hint>()
  #isLimitTold = false
  #isClosed = false

  constructor(parts: StorageParts, attachments: Attachments, storageJsonFile: string) {
    this.#parts = parts
    this.#attachments = attachments
    this.#storageJson = watch(storageJsonFile, { ignoreInitial: true })
    this.#storageJson.on('all', () => this.#hint('storage.json', () => this.#followStorageJson()))
    this.#storageJson.on('error', (error) => this.#failed(error, null))
    this.follow()
  }

  /** Watches the paths that are attached now, and those that are not any more no longer. */
  follow(): void {
    // A look that was under way when the node stopped ends here: a watch made now would never be closed.
    if (this.#isClosed) return
    const attached = new Set(this.#parts.paths.all())
    for (const [path, watcher] of this.#watchers) {
      if (attached.has(path)) continue
      this.#watchers.delete(path)
      this.#close(watcher)
    }
    for (const path of attached) if (!this.#watchers.has(path)) this.#watchers.set(path, this.#watch(path))
  }

  /** Watches a path that was mounted anew: an unmount has ended the watches in it. */
  again(path: StoragePath): void {
    const watcher = this.#watchers.get(path)
    if (watcher === undefined) return
    this.#watchers.delete(path)
    this.#close(watcher)
    this.follow()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const watchers = [this.#storageJson, ...this.#watchers.values()]
    this.#watchers.clear()
    await Promise.all(watchers.map((watcher) => watcher.close()))
  }

  /**
   * One watch per type directory: with its entries ignored, chokidar tells its raw events and puts no watch on
   * each of thousands of files.
   */
  #watch(path: StoragePath): FSWatcher {
    const directories = new Map(FILE_TYPES.map((type) => [join(path.directory, type), type]))
    const usePolling = needsPolling(path.filesystemType)
    const watcher = watch([...directories.keys()], {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (name) => !directories.has(name),
      usePolling,
      interval: POLL_MS,
    })
    watcher.on('raw', (_event, name, details) => {
      // inotify names the entry and, beside it, the directory; a poll names the directory itself.
      const type = directories.get((details as { watchedPath?: string }).watchedPath ?? name)
      for (const each of type === undefined ? FILE_TYPES : [type]) this.#changed(path, each)
    })
    watcher.on('error', (error) => this.#failed(error, path))
    return watcher
  }

  #changed(path: StoragePath, type: SectorFileType): void {
    this.#hint(`${path.id} ${type}`, async () => {
      const isAttached = this.#parts.paths.find(path.id) === path
      if (isAttached && !path.isAway) await this.#attachments.rescan(path, type)
    })
  }

  async #followStorageJson(): Promise<void> {
    await this.#attachments.followStorageJson()
    this.follow()
  }

  #hint(key: string, look: () => Promise<void>): void {
    const nowMs = this.#parts.clock.monotonicMs()
    const pending = this.#hints.get(key)
    if (pending !== undefined) {
      pending.lastMs = nowMs
      return
    }
    const hint = { firstMs: nowMs, lastMs: nowMs }
    this.#hints.set(key, hint)
    void this.#lookWhenQuiet(key, hint, look)
  }

  async #lookWhenQuiet(key: string, hint: Hint, look: () => Promise<void>): Promise<void> {
    const { clock, closing, log } = this.#parts
    try {
      for (;;) {
        await clock.sleep(QUIET_MS, closing)
        const nowMs = clock.monotonicMs()
        if (nowMs - hint.lastMs >= QUIET_MS || nowMs - hint.firstMs >= LONGEST_MS) break
      }
      this.#hints.delete(key)
      await look()
    } catch (error) {
      if (!closing.aborted)
        log.warn('a change could not be followed', { what: key, error: describeError(error) })
    }
  }

  #failed(error: unknown, path: StoragePath | null): void {
    if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'EMFILE') {
      this.#parts.log.warn('a storage path cannot be watched', {
        storagePath: path?.id ?? null,
        error: describeError(error),
      })
      return
    }
    if (this.#isLimitTold) return
    this.#isLimitTold = true
    // inotify says "no space" when the user has no watches left: it has nothing to do with the disk.
    this.#parts.log.warn(
      'no inotify watches are left: changes are noticed late. Raise fs.inotify.max_user_watches and max_user_instances with sysctl',
      { storagePath: path?.id ?? null, error: describeError(error) },
    )
  }

  #close(watcher: FSWatcher): void {
    watcher.close().catch((error: unknown) => {
      this.#parts.log.debug('a watch could not be closed', { error: describeError(error) })
    })
  }
}
