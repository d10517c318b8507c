import { type ChildProcess, spawn } from 'node:child_process'
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

function startTour(...args: string[]): { child: ChildProcess; output: () => string } {
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
  return { child, output: () => output }
}

async function runTour(...args: string[]): Promise<{ code: number | null; output: string }> {
  const { child, output } = startTour(...args)
  await once(child, 'close')
  return { code: child.exitCode, output: output() }
}

const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** Polls; a tour that ends first will never say it. */
async function until(child: ChildProcess, isSo: () => boolean): Promise<void> {
  while (!isSo() && !ended(child)) await new Promise((resolve) => setTimeout(resolve, 50))
}

async function pidsOfTour(): Promise<number[]> {
  return JSON.parse(await readFile(join(TOP, '.tour/pids.json'), 'utf8')) as number[]
}

/** A zombie counts as gone: whoever started it has not asked yet. */
async function runs(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && !/\) [ZX] /.test(stat)
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

test.serial(
  'the tour seals, stores, serves, proves and unseals one sector, ends by itself and leaves nothing running',
  async (t) => {
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
  },
)

test.serial('the tour refuses what it does not know, with the status of wrong usage', async (t) => {
  const { code, output } = await runTour('--twice')
  t.is(code, 2)
  t.regex(output, /'--twice' is unknown/)
})

test.serial('a second Ctrl-C kills the daemons instead of leaving them behind', async (t) => {
  const { child, output } = startTour()
  const closed = once(child, 'close')
  await until(child, () => output().includes('worker04 http'))
  const pids = await pidsOfTour()
  t.is(pids.length, 3, output())
  // Daemons that cannot stop: without the second Ctrl-C the tour would wait for them.
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  child.kill('SIGINT')
  await until(child, () => output().includes('stopping the daemons'))
  // npm may pass the first one on; what comes so soon after it is taken for that.
  while (!ended(child)) {
    child.kill('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await closed
  t.is(child.exitCode, 130, output())
  t.regex(output(), /killing the daemons/)
  t.regex(output(), /left behind in .*\.tour/)
  for (const pid of pids) t.false(await runs(pid), `process ${pid} still runs`)
})

test.serial('a tour whose output nobody reads any more stops its daemons', async (t) => {
  const { child, output } = startTour()
  const exited = once(child, 'exit')
  await until(child, () => output().includes('worker04 http'))
  const pids = await pidsOfTour()
  child.stdout?.destroy()
  child.stderr?.destroy()
  await exited
  t.not(child.exitCode, null, 'it ends by itself, not by a signal')
  for (const pid of pids) t.false(await runs(pid), `process ${pid} still runs`)
})
