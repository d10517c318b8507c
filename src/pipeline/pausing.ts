import { pipelineError } from './errors.ts'
import { retryState } from './failures.ts'
import type { Lives } from './lives.ts'
import type { SectorRecord } from './sector-record.ts'
import { isAtRest, isFailed } from './sector-state.ts'
import type { StepTools } from './step.ts'

/**
 * Stops a sector where it is until somebody resumes it. What a worker has begun for it goes on; its result is kept
 * and taken at once when the sector goes on.
 * @throws PipelineError SECTOR_STATE when there is nothing to pause
 */
export async function pauseSector(number: number, { store }: StepTools, lives: Lives): Promise<void> {
  refuseToPause(await store.get(number))
  const reason = pipelineError({ code: 'SECTOR_STATE', message: `sector ${number} is paused` })
  await lives.interrupt(number, reason, (now) => {
    refuseToPause(now)
    return {
      set: { paused: `an operator paused it; 'sectors resume ${number}' lets it go on` },
      event: { kind: 'state', message: `an operator pauses it in ${now.state}` },
    }
  })
}

/** Lets a paused sector go on from where it was. @throws PipelineError SECTOR_STATE when it is not paused */
export async function resumeSector(number: number, { store }: StepTools, lives: Lives): Promise<void> {
  await store.change(number, (now) => {
    if (now.paused === null) throw refusal(now, 'it is not paused')
    return {
      set: { paused: null, tries: 0 },
      event: { kind: 'state', message: `an operator resumes it in ${now.state}` },
    }
  })
  lives.start(number)
}

/**
 * Tries a failed sector again at once, with its failures forgiven: also one that had failed too often.
 * @throws PipelineError SECTOR_STATE when it has not failed
 */
export async function retrySector(number: number, { store }: StepTools, lives: Lives): Promise<void> {
  refuseToRetry(await store.get(number))
  const reason = pipelineError({ code: 'SECTOR_STATE', message: `sector ${number} is tried again` })
  await lives.interrupt(number, reason, (now) => {
    // The wait may have ended by itself: then it is being tried.
    if (!isFailed(now.state)) return null
    return {
      to: retryState({ ...now, state: now.state }),
      set: { paused: null, tries: 0 },
      event: { kind: 'state', message: 'an operator has it tried again' },
    }
  })
}

function refuseToPause(record: SectorRecord): void {
  if (record.paused !== null) throw refusal(record, 'it is paused already')
  if (isAtRest(record.state)) throw refusal(record, 'nothing is done with it, so there is nothing to pause')
  if (record.state === 'Removing') throw refusal(record, 'it is being removed')
}

function refuseToRetry(record: SectorRecord): void {
  if (isFailed(record.state)) return
  const { Number: number } = record.id
  const advice = record.paused === null ? '' : `; 'sectors resume ${number}' lets it go on`
  throw refusal(record, `it has not failed${advice}`)
}

function refusal({ id, state }: SectorRecord, why: string) {
  const message = `sector ${id.Number} is in ${state}: ${why}`
  return pipelineError({ code: 'SECTOR_STATE', message, sector: id })
}
