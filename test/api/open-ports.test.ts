import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import test from 'ava'
import { startNode } from '../../src/api/node.ts'
import type { RemoteBackend } from '../../src/api/remote-routes.ts'
import { Log } from '../../src/base/log.ts'

/** Addresses this process listens on, as the kernel writes them: hexadecimal, `0100007F:1F90`. */
function listening(): string[] {
  const sockets = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? []
    } catch {
      return []
    }
  })
  const rows = ['tcp', 'tcp6'].flatMap((name) =>
    readFileSync(`/proc/net/${name}`, 'utf8').split('\n').slice(1),
  )
  return rows.flatMap((row) => {
    const [, local, , state, , , , , , inode] = row.trim().split(/\s+/)
    return state === '0A' && local !== undefined && sockets.includes(inode ?? '') ? [local] : []
  })
}

test('a node listens on the address it is given and else on loopback, and shows a stranger nothing', async (t) => {
  const before = listening()
  const node = await startNode({
    listen: '127.0.0.1:0',
    verifier: { verify: async () => ({ outcome: 'denied', ttlMs: 0 }) },
    log: new Log({ format: 'json', level: 'error', write: () => undefined }),
  })
  try {
    node.serve({ table: {}, implementation: {}, remote: {} as RemoteBackend })
    const opened = listening().filter((each) => !before.includes(each))
    const port = node.port.toString(16).toUpperCase().padStart(4, '0')
    t.true(opened.includes(`0100007F:${port}`), opened.join(' '))
    t.true(
      opened.every((each) => each.startsWith('0100007F:')),
      opened.join(' '),
    )
    for (const path of ['/', '/metrics', '/debug', '/debug/pprof/', '/debug/metrics', '/status', '/.env']) {
      t.is((await fetch(node.url + path)).status, 404, path)
    }
    for (const path of ['/remote', '/remote/stat/x', '/remote/sealed/s-t01000-7', '/remote/nothing']) {
      t.is((await fetch(node.url + path)).status, 401, path)
    }
    // What stands behind the door talks to nobody but the door.
    for (const address of opened.filter((each) => each !== `0100007F:${port}`)) {
      const behind = Number.parseInt(address.split(':')[1] ?? '', 16)
      await t.throwsAsync(fetch(`http://127.0.0.1:${behind}/healthz`), undefined, address)
    }
  } finally {
    await node.close(0)
  }
})
