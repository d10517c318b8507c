import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { changeOf, takeIdentity } from '../../src/storage/path-identity.ts'

async function directoryAtHand(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sealyard-identity-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'sectorstore.json'), JSON.stringify({ ID: 'a', CanStore: true }))
  return directory
}

test('daemons that open one directory at once read one nonce', async (t) => {
  const directory = await directoryAtHand(t)
  const identities = await Promise.all([1, 2, 3, 4].map(() => takeIdentity(directory, 'a')))
  t.is(new Set(identities.map(({ nonce }) => nonce)).size, 1)
  t.regex(identities[0]?.nonce ?? '', /^[0-9a-f]{32}$/)
})

test('a nonce that a stop or a full disk cut off is made anew, and then guards the path', async (t) => {
  const directory = await directoryAtHand(t)
  const file = join(directory, '.sealyard', 'nonce')
  await mkdir(join(directory, '.sealyard'))
  await writeFile(file, '')
  const identity = await takeIdentity(directory, 'a')
  t.is(await readFile(file, 'utf8'), identity.nonce ?? 'none')
  t.is(await changeOf(directory, identity), null)
  await writeFile(file, '0'.repeat(32))
  t.regex((await changeOf(directory, identity)) ?? '', /nonce changed/)
})
