import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'

const directory = await mkdtemp(join(tmpdir(), 'sealyard-steps-'))
const log = join(directory, 'steps')
// Read once, when the rooms are loaded: so they are loaded here.
process.env.SEALYARD_STEPS_LOG = log
const { addPiece } = await import('../../src/worker/tasks/add-piece.ts')
const { unseal } = await import('../../src/worker/tasks/unseal.ts')
const { preCommit1 } = await import('../../src/worker/tasks/pre-commit-1.ts')
const { preCommit2 } = await import('../../src/worker/tasks/pre-commit-2.ts')
const { finalize } = await import('../../src/worker/tasks/finalize.ts')
const { layForeignCache, layUnsealed, tasksAtHand } = await import('./worker-at-hand.ts')
const { unsealedCid } = await import('../../src/sectors/commitments.ts')
const { PIECES, SECTOR, TICKET } = await import('./sector-at-hand.ts')

test.after.always(() => rm(directory, { recursive: true }))

const passed = async () => (await readFile(log, 'utf8')).split('\n')

async function onDisk(t: ExecutionContext, task: string): Promise<void> {
  t.true((await passed()).includes(`after:task.files-synced/${task}`))
}

test('AP: the unsealed file and its name are on the disk before the sealer may drop the staged data', async (t) => {
  const { tools } = await tasksAtHand(t)
  const reader = { Type: 'null', Info: '2032' } as const
  await addPiece(tools, { sector: SECTOR, existingPieces: [], pieceBytes: 2032, reader })
  await onDisk(t, 'AP')
})

test('UNS: the unsealed file and its name are on the disk before the task has ended', async (t) => {
  const { storage, tools } = await tasksAtHand(t)
  await layForeignCache(storage, 'finalized')
  const unsealed = unsealedCid('55'.repeat(32))
  await unseal(tools, { sector: SECTOR, offset: 0, size: 2032, ticket: TICKET, unsealed })
  await onDisk(t, 'UNS')
})

test('no phase of a cache is recorded before its files are on the disk', async (t) => {
  const { storage, tools } = await tasksAtHand(t)
  await layUnsealed(storage)
  const phase1Output = await preCommit1(tools, { sector: SECTOR, ticket: TICKET, pieces: PIECES })
  await preCommit2(tools, { sector: SECTOR, phase1Output })
  await finalize(tools, SECTOR)
  const steps = await passed()
  for (const [task, phase] of [
    ['PC1', 'pc1'],
    ['PC2', 'pc2'],
    ['FIN', 'finalized'],
  ] as const) {
    const synced = steps.indexOf(`after:task.files-synced/${task}`)
    t.true(synced >= 0 && synced < steps.indexOf(`before:cache.recorded/${phase}`), `${task}, ${phase}`)
  }
})
