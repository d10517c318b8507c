import { unsealedCid } from '../sectors/commitments.ts'
import { pipelineError } from './errors.ts'
import type { Lives } from './lives.ts'
import { refOf, ticketOf } from './sector-record.ts'
import type { StepTools } from './step.ts'

/**
 * Unseals a whole sector into a store path; comes back when it is there.
 * @throws PipelineError SECTOR_STATE before the sector is sealed
 */
export async function unsealSector(number: number, tools: StepTools, signal: AbortSignal): Promise<void> {
  const record = await tools.store.get(number)
  if (record.commD === null || record.state === 'Removing' || record.state === 'Removed') {
    throw pipelineError({
      code: 'SECTOR_STATE',
      message: `sector ${number} is in ${record.state}: it cannot be unsealed`,
      sector: record.id,
    })
  }
  await tools.tasks.unseal(refOf(record), ticketOf(record), unsealedCid(record.commD)['/'], signal)
  const event = { kind: 'UNS', message: 'the unsealed copy lies in a store path' }
  await tools.store.change(number, () => ({ event }))
}

/**
 * Removes a sector's files everywhere, whatever it is at; comes back when they are gone.
 * @throws PipelineError REMOVE_FAILED naming what stayed; it is tried again by itself
 */
export async function removeSector(
  number: number,
  { store }: StepTools,
  lives: Lives,
  signal: AbortSignal,
): Promise<void> {
  const { state, id } = await store.get(number)
  if (state === 'Removed') return
  if (state !== 'Removing') {
    const reason = pipelineError({ code: 'SECTOR_STATE', message: 'the sector is being removed', sector: id })
    await lives.interrupt(number, reason, (now) =>
      now.state === 'Removed' || now.state === 'Removing'
        ? null
        : {
            to: 'Removing',
            set: { paused: null, tries: 0 },
            event: { kind: 'state', message: 'an operator removes it' },
          },
    )
  }
  const ended = await store.until(
    number,
    (record) => record.state === 'Removed' || record.state === 'RemoveFailed',
    signal,
  )
  if (ended.state === 'Removed') return
  throw pipelineError({
    code: 'REMOVE_FAILED',
    level: 'temporary',
    message: `sector ${number} is not removed everywhere: ${ended.lastError ?? 'no reason given'}; it is tried again by itself`,
    sector: id,
  })
}
