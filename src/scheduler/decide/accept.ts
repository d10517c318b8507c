import type { IndexView } from '../../sector-index/path-view.ts'
import { FILE_TYPE_BIT, type FileTypeBits, fileTypeBits, fileTypesOf } from '../../sectors/file-types.ts'
import type { SectorId } from '../../sectors/sector-id.ts'
import { taskCode } from '../../sectors/task-types.ts'
import { holdersOf, holds, type Placing, placeOn, typeWords } from './placement.ts'
import { asWork, type Selector, type TaskRequest, workNeeds } from './request.ts'
import type { Snapshot, Verdict, WorkerView } from './snapshot.ts'
import { Usage } from './usage.ts'

/** The built-in `accept`: whether a worker may be given a task at all, busy or not. */
export function accept(request: TaskRequest, worker: WorkerView, snapshot: Snapshot): Verdict {
  const refusal =
    basicRefusal(request, worker) ??
    selectorRefusal(request, worker, snapshot.index) ??
    sourceRefusal(request, worker, snapshot.index)
  return refusal === null ? { accepted: true, reason: 'acceptable' } : { accepted: false, reason: refusal }
}

function basicRefusal(request: TaskRequest, worker: WorkerView): string | null {
  if (!worker.enabled) return 'the worker is disabled or does not answer'
  if (!worker.tasks.has(request.task)) return `does not take ${taskCode(request.task)}`
  const earlier = worker.refusals.get(request.id)
  if (earlier !== undefined) return earlier
  const needs = workNeeds(request, worker.info)
  const tooSmall = new Usage().refusal(asWork(request), needs, worker.info)
  return tooSmall === null ? null : `the machine is too small: ${tooSmall}`
}

function selectorRefusal(request: TaskRequest, worker: WorkerView, index: IndexView): string | null {
  const { selector } = request
  if (selector.kind === 'any') return null
  if (selector.kind === 'alloc') {
    const boundBy = fileTypeBits(...(request.brings?.files.keys() ?? []))
    return placingRefusal(worker, index, {
      request,
      types: fileTypesOf(selector.bits | missing(request, worker, index, boundBy)),
      pathKind: selector.pathKind,
      boundBy,
    })
  }
  if (selector.kind === 'existing') return existingRefusal(request, selector, worker, index)
  return moveRefusal(request, selector, worker, index)
}

function existingRefusal(
  request: TaskRequest,
  selector: Extract<Selector, { kind: 'existing' }>,
  worker: WorkerView,
  index: IndexView,
): string | null {
  const lacks = missing(request, worker, index, selector.bits)
  if (lacks === 0) return null
  if (!selector.allowFetch) return `does not hold ${typeWords(lacks)}`
  const types = fileTypesOf(lacks)
  return placingRefusal(worker, index, { request, types, pathKind: 'sealing', boundBy: selector.bits })
}

function moveRefusal(
  request: TaskRequest,
  selector: Extract<Selector, { kind: 'move' }>,
  worker: WorkerView,
  index: IndexView,
): string | null {
  const lacks = missing(request, worker, index, selector.bits)
  if (!selector.allowRemote && lacks !== 0) {
    return `does not hold ${typeWords(lacks)}, and DisallowRemoteFinalize is set`
  }
  const types = fileTypesOf(selector.bits)
  return placingRefusal(worker, index, { request, types, pathKind: 'storage', boundBy: selector.bits })
}

function placingRefusal(worker: WorkerView, index: IndexView, placing: Placing): string | null {
  const placed = placeOn(worker, index, placing)
  return 'refusal' in placed ? placed.refusal : null
}

/** What is not on this worker must be somewhere that can be read. */
function sourceRefusal(request: TaskRequest, worker: WorkerView, index: IndexView): string | null {
  for (const type of request.brings?.files.keys() ?? []) {
    if (holds(index, worker, request.sector.ID, type)) continue
    const reason = unreadable(index, request.sector.ID, FILE_TYPE_BIT[type])
    if (reason !== null) return `cannot fetch ${type}: ${reason}`
  }
  return null
}

function unreadable(index: IndexView, sector: SectorId, bit: FileTypeBits): string | null {
  const [best] = holdersOf(index, sector, bit)
  if (best === undefined) return 'no storage path holds it'
  return best.unusable === null ? null : `it lies on ${best.info.ID}, ${best.unusable}`
}

function missing(
  request: TaskRequest,
  worker: WorkerView,
  index: IndexView,
  bits: FileTypeBits,
): FileTypeBits {
  return fileTypeBits(...fileTypesOf(bits).filter((type) => !holds(index, worker, request.sector.ID, type)))
}
