import test from 'ava'
import type { FilesystemView } from '../../src/protocol/types.ts'
import { currentViews, groupFilesystems } from '../../src/storage/filesystem-groups.ts'

function seen(pathId: string, machine: string, filesystem: string, availableBytes: number, atMs = 0) {
  const view: FilesystemView = {
    pathId,
    machine,
    filesystem,
    capacityBytes: 10_000,
    availableBytes,
    maxBytes: 0,
    usedBytes: 0,
  }
  return { view, atMs }
}

test('two paths of two workers on one disk share its space', (t) => {
  const { groups, paths } = groupFilesystems([
    seen('a', 'host', 'ext4 8:1', 500),
    seen('b', 'host', 'ext4 8:1', 500),
  ])
  t.is(groups.length, 1)
  t.is(paths[0]?.groupId, paths[1]?.groupId)
})

test('a share has another filesystem on every host, and is one for its ID', (t) => {
  const { groups, paths } = groupFilesystems([
    seen('share', 'host1', 'nfs 0:50', 900, 1),
    seen('share', 'host2', 'nfs 0:71', 700, 2),
    seen('local', 'host2', 'ext4 8:1', 100, 2),
  ])
  t.is(groups.length, 2)
  t.is(paths.filter((path) => path.pathId === 'share').length, 1)
  t.true(
    groups.some((group) => group.availableBytes === 700),
    'the freshest look counts',
  )
})

test('equal names of filesystems on different machines are different disks', (t) => {
  const { groups } = groupFilesystems([seen('a', 'host1', 'ext4 8:1', 1), seen('b', 'host2', 'ext4 8:1', 2)])
  t.is(groups.length, 2)
})

test('paths that a share connects are in one group, in whatever order they are seen', (t) => {
  const looks = [
    seen('x', 'host1', 'nfs 1', 5),
    seen('share', 'host2', 'nfs 9', 5),
    seen('y', 'host2', 'nfs 9', 5),
    seen('share', 'host1', 'nfs 1', 5),
  ]
  for (const order of [looks, looks.toReversed()]) {
    const { groups, paths } = groupFilesystems(order)
    t.is(groups.length, 1)
    t.is(new Set(paths.map((path) => path.groupId)).size, 1)
  }
})

test('a look that nobody refreshes for six heartbeats is forgotten', (t) => {
  const looks = [seen('moved', 'host1', 'ext4 8:1', 5, 0), seen('moved', 'host2', 'ext4 8:17', 5, 60_001)]
  t.deepEqual(currentViews(looks, new Set(), 60_000), looks)
  t.deepEqual(currentViews(looks, new Set(['moved']), 60_001), looks.slice(1))
})

test('what a machine that cannot be heard was promised stays with all that shares its disk', (t) => {
  const looks = [
    seen('scratch', 'host1', 'nfs 1', 5, 0),
    seen('share', 'host1', 'nfs 1', 5, 0),
    seen('other', 'host1', 'ext4 8:1', 5, 0),
    seen('share', 'host2', 'nfs 9', 5, 70_000),
  ]
  const [scratch, share, , elsewhere] = looks
  t.deepEqual(currentViews(looks, new Set(['scratch']), 70_000), [scratch, share, elsewhere])
  t.deepEqual(currentViews(looks, new Set(['share']), 70_000), [elsewhere], 'it is seen elsewhere')
})
