import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'

test('AP: the unsealed file and its name are on the disk before the sealer may drop the staged data', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-steps-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const log = join(directory, 'steps')
  // Read once, when the rooms are loaded: so they are loaded here.
  process.env.SEALYARD_STEPS_LOG = log
  const { addPiece } = await import('../../src/worker/tasks/add-piece.ts')
  const { tasksAtHand } = await import('./worker-at-hand.ts')
  const { SECTOR } = await import('./sector-at-hand.ts')
  const { tools } = await tasksAtHand(t)
  const reader = { Type: 'null', Info: '2032' } as const
  await addPiece(tools, { sector: SECTOR, existingPieces: [], pieceBytes: 2032, reader })
  t.true((await readFile(log, 'utf8')).includes('after:task.files-synced\n'))
})
