import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { portHolder } from '../../src/api/port-holder.ts'

test('the process that listens on a port is found, and none on a port that is free again', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.regex(portHolder(port) ?? '', new RegExp(`^${process.pid} \\(.+\\)$`))
  server.close()
  await once(server, 'close')
  t.is(portHolder(port), null)
})

test('a connection is no listener, and a process that cannot be looked into is not named', async (t) => {
  const proc = await mkdtemp(join(tmpdir(), 'sealyard-proc-'))
  t.teardown(() => rm(proc, { recursive: true }))
  const row = (state: string, inode: number) =>
    `   0: 0100007F:0929 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  0  0 ${inode} 1 0\n`
  await mkdir(join(proc, 'net'))
  await mkdir(join(proc, '4711', 'fd'), { recursive: true })
  await writeFile(join(proc, '4711', 'comm'), 'nginx\n')
  await symlink('socket:[99]', join(proc, '4711', 'fd', '3'))
  await writeFile(join(proc, 'net', 'tcp'), `  sl  local_address\n${row('01', 99)}`)
  t.is(portHolder(2345, proc), null)
  await writeFile(join(proc, 'net', 'tcp'), `  sl  local_address\n${row('0A', 99)}`)
  t.is(portHolder(2345, proc), '4711 (nginx)')
  t.is(portHolder(2346, proc), null)
  await writeFile(join(proc, 'net', 'tcp'), `  sl  local_address\n${row('0A', 98)}`)
  t.is(portHolder(2345, proc), null)
})
