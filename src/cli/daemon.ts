import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSecretFile } from '../api/token-file.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { SealyardError } from '../base/errors.ts'
import { type LockFile, lockFile } from '../base/lock-file.ts'
import { Log, type LogFormat, type LogLevel, parseLogLevel } from '../base/log.ts'
import { makeDirectories } from '../base/make-directories.ts'
import { Shutdown, START_FAILED } from '../base/shutdown.ts'
import { writeDurably } from '../base/write-durably.ts'
import type { Settings } from '../config/settings-table.ts'
import { formatMultiaddr } from '../protocol/api-info.ts'
import { assertOpenFileLimit } from './file-limit.ts'

/** As mkdtemp names the directories of C2 and of a PoSt's reading. */
const TASK_FILES = /^sealyard-(c2|post)-[A-Za-z0-9]{6}$/

/** What both daemons stand on: a locked repo, a log, and an orderly end. */
export interface Daemon {
  readonly repo: string
  /** Directory for small files of running tasks; empty at the start. */
  readonly scratch: string
  readonly settings: Settings
  readonly log: Log
  readonly clock: Clock
  readonly shutdown: Shutdown
}

/** Locks the repo and makes the daemon's ground; whoever fails later calls `shutdown.stop`. */
export async function startDaemon(repo: string, settings: Settings): Promise<Daemon> {
  await assertOpenFileLimit()
  await makeDirectories(repo, 0o700)
  const lock: LockFile = await lockFile(join(repo, 'repo.lock'))
  const log = new Log({
    format: settings.Logging.Format as LogFormat,
    level: settings.Logging.Level as LogLevel,
    levels: subsystemLevels(settings.Logging.SubsystemLevels),
  })
  warnOfTestHooks(log, process.env)
  const clock = systemClock
  const shutdown = new Shutdown({ clock, log: log.logger('main'), deadlineMs: settings.API.ShutdownTimeout })
  shutdown.add('repo lock', () => lock.release())
  const scratch = await scratchIn(repo)
  // A start that is refused leaves its repo as it was; one that is not empty holds what is not ours.
  shutdown.add('task files', () => rmdir(scratch).catch(() => undefined))
  return { repo, scratch, settings, log, clock, shutdown }
}

/**
 * What a killed run left there (a C2's input is some 50 MB) is nobody's any more: the repo is locked. Only names
 * that a task makes go: whatever else lies there is somebody's, even if this is a storage path.
 */
async function scratchIn(repo: string): Promise<string> {
  const scratch = join(repo, 'task-files')
  await makeDirectories(scratch, 0o700)
  for (const name of await readdir(scratch)) {
    if (TASK_FILES.test(name)) await rm(join(scratch, name), { recursive: true, force: true })
  }
  return scratch
}

/**
 * Runs a daemon from start to end: what `start` has begun is stopped when it fails half way, too.
 * @returns the process's exit status
 */
export async function runDaemon(daemon: Daemon, start: (daemon: Daemon) => Promise<void>): Promise<number> {
  const { shutdown } = daemon
  const unlisten = shutdown.listen()
  try {
    // Who stops a daemon that is still starting does not wait for what it is at: a disk or a node may hang.
    await Promise.race([start(daemon), shutdown.finished()])
  } catch (error) {
    // A start that was interrupted fails for that very reason, and that is no failure.
    const wasInterrupted = shutdown.signal.aborted
    await shutdown.stop(START_FAILED)
    if (!wasInterrupted) throw error
  }
  const { unfinished } = await shutdown.finished()
  unlisten()
  return unfinished.length === 0 ? 0 : 1
}

/** Writes `token` and `api`, as lotus' repos have them; `api` goes when the node stops. */
export async function writeEndpointFiles(daemon: Daemon, url: string, token: string): Promise<void> {
  const { hostname, port } = new URL(url)
  const api = join(daemon.repo, 'api')
  await writeSecretFile(join(daemon.repo, 'token'), token)
  await writeDurably(api, formatMultiaddr(hostname.replace(/^\[|\]$/g, ''), Number(port)))
  daemon.shutdown.add('api file', () => rm(api, { force: true }))
}

/** What only tests set; inherited by accident, it would kill or fail a daemon of an operator's. */
const TEST_HOOKS = ['SEALYARD_KILL_AT', 'SEALYARD_FAIL_STEPS', 'SEALYARD_STEPS_LOG']

function warnOfTestHooks(log: Log, env: NodeJS.ProcessEnv): void {
  const set = TEST_HOOKS.filter((name) => env[name])
  if (set.length === 0) return
  log
    .logger('main')
    .warn(`this daemon does what a test asks of it, and may end or fail at any time: unset ${set.join(', ')}`)
}

function subsystemLevels(written: readonly string[]): Record<string, LogLevel> {
  return Object.fromEntries(
    written.map((each) => {
      const [name = '', level = ''] = each.split('=')
      if (name !== '' && level !== '') return [name, parseLogLevel(level)]
      throw new SealyardError({
        code: 'BAD_SETTING',
        level: 'permanent',
        message: `Logging.SubsystemLevels holds '${each}'; write it as name=level, such as stores=debug`,
      })
    }),
  )
}
