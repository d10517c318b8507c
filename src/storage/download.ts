import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describeError } from '../base/errors.ts'
import { Fetch, FetchError, type FetchErrorCode, type Fetched } from '../native/fetch.ts'
import { FILE_TYPE_BIT, isDirectoryType, type SectorFileType } from '../sectors/file-types.ts'
import { sealProof } from '../sectors/proof-types.ts'
import { type SectorRef, sectorName } from '../sectors/sector-id.ts'
import { completePhase, wholeFileProblem } from './cache-completeness.ts'
import { commitFetched } from './commit-fetched.ts'
import type { DownloadLimits } from './download-limits.ts'
import { storageError } from './errors.ts'
import { hostOf, type Source } from './fetch-sources.ts'
import { type HolderSpeeds, isWorthLeaving } from './holder-speeds.ts'
import { type DownloadPlace, discardDownload, downloadPlace } from './kept-download.ts'
import type { StorageParts } from './parts.ts'
import type { StoragePath } from './storage-path.ts'

/** What breaks a download off that may go on from where it was. */
const CUT: readonly FetchErrorCode[] = ['incomplete', 'network', 'timeout']
/** How often one source is gone on with in a round; each time it must have given something more. */
const RESUMPTIONS = 8
/** Before it is gone on with, or asked again; half as long to half as long again. */
export const FIRST_RETRY_MS = 1000
/** Over how long a holder's speed is measured before it may be left: longer than a disk's or a network's hiccup. */
const WINDOW_MS = 10_000

/** One sector file on its way from one source to a path of this node. */
export interface Download {
  readonly sector: SectorRef
  readonly type: SectorFileType
  readonly target: StoragePath
  readonly source: Source
  /** Sources that were not tried yet in this round, for which this one may be left. */
  readonly others: readonly Source[]
  readonly signal: AbortSignal
}

/** What downloads of one node share. */
export interface DownloadTools {
  readonly parts: StorageParts
  readonly limits: DownloadLimits
  readonly speeds: HolderSpeeds
}

/**
 * Downloads to the final name, durably: received under `fetching/` and fsynced, found whole, renamed, its directory
 * fsynced. It is neither declared nor removed at its source. A download that is cut goes on from where it was.
 * @throws FetchError, StorageError INCOMPLETE, BUSY, FETCH_FAILED when a better holder is to be asked
 */
export async function download(tools: DownloadTools, job: Download): Promise<void> {
  const { parts } = tools
  let kept = 0
  for (let resumed = 0; ; resumed++) {
    try {
      return await downloadOnce(tools, job)
    } catch (cause) {
      const isCut = cause instanceof FetchError && CUT.includes(cause.code) && cause.bytesKept > kept
      if (!isCut || resumed === RESUMPTIONS || job.signal.aborted) throw cause
      kept = cause.bytesKept
      parts.log.info('a download was cut; it goes on from there', {
        sector: sectorName(job.sector.ID),
        type: job.type,
        url: job.source.url,
        keptBytes: kept,
        error: describeError(cause),
      })
    }
    await pause(job.signal, parts.settings.fetchRetryMs ?? FIRST_RETRY_MS)
  }
}

/** With jitter: all that a node cut off when it stopped would come back at once. */
async function pause(signal: AbortSignal, ms: number): Promise<void> {
  await setTimeout(ms * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined)
  signal.throwIfAborted()
}

async function downloadOnce(tools: DownloadTools, job: Download): Promise<void> {
  const { sector, type, target, source } = job
  const { parts, limits } = tools
  const place = downloadPlace(parts.operations, target, type, sector.ID)
  await mkdir(dirname(place.data), { recursive: true, mode: 0o755 })
  const fetch = new Fetch({
    url: source.url,
    token: await parts.fetchToken(),
    target: place.data,
    record: place.record,
    kind: isDirectoryType(type) ? 'directory' : 'file',
    expectedBytes: expectedBytes(job),
    limits: limits.shared,
    progressTimeoutMs: parts.settings.progressTimeoutMs,
  })
  const start = {
    id: parts.operations.next(),
    sector: sector.ID,
    fileType: FILE_TYPE_BIT[type],
    from: source.pathId,
    to: target.id,
  }
  await parts.transfers.follow(
    { ...start, method: 'network', totalBytes: 0 },
    () => progressOf(fetch),
    async () => {
      const fetched = await receive(tools, job, fetch)
      await giveName(parts, job, place, fetched)
      return { method: 'network', bytes: fetched.bytes }
    },
  )
}

/** Runs it to its end, or to the moment when another holder is the better choice. */
async function receive(tools: DownloadTools, job: Download, fetch: Fetch): Promise<Fetched> {
  const ended = new AbortController()
  let isLeft = false
  const watching = watchSpeed(tools, job, fetch, ended.signal).then((left) => {
    isLeft = left
  })
  try {
    const fetched = await runUntil(tools.parts, fetch, job.signal)
    const bytes = fetched.bytes - fetched.bytesResumed
    if (fetched.seconds > 0 && bytes > 0) tools.speeds.note(hostOf(job.source.url), bytes / fetched.seconds)
    return fetched
  } catch (cause) {
    if (!isLeft || !(cause instanceof FetchError) || cause.code !== 'interrupted') throw cause
    throw storageError({
      code: 'FETCH_FAILED',
      level: 'temporary',
      message: `${job.source.url} is slow, and another holder is expected to give the file in half the time`,
      sector: job.sector.ID,
      cause,
    })
  } finally {
    ended.abort()
    await watching
  }
}

/** @returns true when the holder was left */
async function watchSpeed(
  { parts: { clock }, speeds }: DownloadTools,
  { source, others }: Download,
  fetch: Fetch,
  ended: AbortSignal,
): Promise<boolean> {
  const host = hostOf(source.url)
  let before = fetch.progress()
  while (!ended.aborted) {
    await clock.sleep(WINDOW_MS, ended).catch(() => undefined)
    if (ended.aborted) return false
    const now = fetch.progress()
    const wantedMs = WINDOW_MS - (now.heldBackMs - before.heldBackMs)
    const bytes = now.doneBytes - before.doneBytes
    before = now
    // Most of the window we did not want more, or the download began anew in it.
    if (wantedMs < WINDOW_MS / 2 || bytes < 0 || now.totalBytes === null) continue
    const bytesPerSecond = (bytes * 1000) / wantedMs
    speeds.note(host, bytesPerSecond)
    const leftBytes = now.totalBytes - now.doneBytes
    const known = others.map((other) => speeds.expected(hostOf(other.url), host))
    if (isWorthLeaving({ bytesPerSecond, leftBytes, totalBytes: now.totalBytes, others: known })) {
      fetch.interrupt()
      return true
    }
  }
  return false
}

/** Whole, still where it should be, and then under its final name. */
async function giveName(
  parts: StorageParts,
  job: Download,
  place: DownloadPlace,
  fetched: Fetched,
): Promise<void> {
  const { sector, type, target } = job
  try {
    await admit(parts, job, fetched)
    await target.assertIdentity()
    await commitFetched(place.data, target.fileOf(type, sector.ID), isDirectoryType(type))
  } catch (error) {
    await discardDownload(place)
    throw error
  }
  await rm(place.record, { force: true })
}

/** A download may have arrived whole and still be part of a file: lotus ends a broken archive politely. */
async function admit(parts: StorageParts, job: Download, fetched: Fetched): Promise<void> {
  const { sector, type, target } = job
  const proof = sealProof(sector.ProofType)
  const incomplete = (problem: string) =>
    storageError({
      code: 'INCOMPLETE',
      level: 'temporary',
      message: `what arrived of ${type} of ${sectorName(sector.ID)} is not whole: ${problem}`,
      sector: sector.ID,
    })
  if (!isDirectoryType(type)) {
    const problem = wholeFileProblem(type, proof, fetched.bytes)
    if (problem !== null) throw incomplete(problem)
  } else if (type === 'cache') {
    const verdict = completePhase(proof, fetched.files)
    if (verdict.phase === null) throw incomplete(verdict.problem)
    // What it was made from is not known here; how far it has come is.
    await parts.records.put(sector.ID, target.id, { ticket: '', pieces: [], phase: verdict.phase })
  } else if (fetched.files.length === 0) throw incomplete('the directory is empty')
}

/** A refusal at the head of the answer saves 32 GiB of the wrong thing. */
function expectedBytes({ sector, type }: Download): number | null {
  return type === 'sealed' || type === 'update' ? sealProof(sector.ProofType).sectorSize : null
}

async function runUntil(parts: StorageParts, fetch: Fetch, signal: AbortSignal): Promise<Fetched> {
  signal.throwIfAborted()
  // A stop of the node is no reason to lose what is here; somebody who cancels does not want it.
  const end = () => (parts.cancelling.aborted ? fetch.interrupt() : fetch.cancel())
  signal.addEventListener('abort', end, { once: true })
  try {
    return await fetch.run()
  } finally {
    signal.removeEventListener('abort', end)
  }
}

function progressOf(fetch: Fetch) {
  const { doneBytes, totalBytes } = fetch.progress()
  return { bytes: doneBytes, total: totalBytes }
}
