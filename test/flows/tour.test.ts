import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { TOP } from '../source-files.ts'

interface ClusterFile {
  readonly nodes: readonly {
    readonly name: string
    readonly url: string
    readonly repo: string
    readonly tokenFile: string
  }[]
  readonly sector: { readonly miner: number; readonly number: number; readonly pieceFile: string }
}

async function runTour(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(TOP, 'dist/tour/main.js'), ...args], {
    cwd: TOP,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  await once(child, 'close')
  return { code: child.exitCode, output }
}

async function answers(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  const socket = createConnection({ host: hostname, port: Number(port) })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

test('the tour seals, stores, serves, proves and unseals one sector, ends by itself and leaves nothing running', async (t) => {
  t.timeout(1_800_000)
  const { code, output } = await runTour('--once')
  t.is(code, 0, output)
  for (const line of [
    /padded to 2 KiB, piece commitment baga6ea4seaq/,
    /AP +.*\n/,
    /PC1 +.*\n/,
    /PC2 +.*\n/,
    /C1 +.*\n/,
    /move +worker0[14]: .* by (rename|clone|copy), /,
    /is complete in .*, seen through http:.* and http:/,
    /with Range: byte-exact/,
    /window PoSt over the stored files, read through http:.* and http:.*: valid, 192 bytes/,
    /the unsealed piece equals the piece that went in/,
    /scratch paths are empty, no space is reserved/,
    / 0 bytes over the network/,
    /sealed and stored in .* s; served, proven and unsealed after .* s/,
    /left behind in .*\.tour/,
  ]) {
    t.regex(output, line)
  }
  const cluster = JSON.parse(await readFile(join(TOP, '.tour/cluster.json'), 'utf8')) as ClusterFile
  t.deepEqual(
    cluster.nodes.map((node) => node.name),
    ['sealer', 'worker01', 'worker04'],
  )
  for (const node of cluster.nodes) {
    await access(node.tokenFile)
    t.false(await answers(node.url), `${node.name} still listens on ${node.url}`)
  }
  t.is(cluster.sector.miner, 1005)
  t.is((await readFile(cluster.sector.pieceFile)).length, 1500)
})

test('the tour refuses what it does not know, with the status of wrong usage', async (t) => {
  const { code, output } = await runTour('--twice')
  t.is(code, 2)
  t.regex(output, /'--twice' is unknown/)
})
