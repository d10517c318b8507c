import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type Node, startNode } from '../../src/api/node.ts'
import type { RemoteBackend } from '../../src/api/remote-routes.ts'
import { Log } from '../../src/base/log.ts'

// Bytes that are almost requests, against the whole port: the door, the tunnel and the server behind it. Nobody may
// get a file without a token, nothing may break, and no input is answered as a fault of ours.

const CORPUS = join(import.meta.dirname, '../../crates/remote/corpus/requests')
const SECRET = 'the bytes of a sealed sector'
const ROUNDS = Number(process.env.SEALYARD_FUZZ ?? 1500)
const AT_ONCE = 24

/** xorshift32: the same connections in every run. */
function chances(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const WORDS = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  ':',
  '%',
  '..',
  '//',
  '\r\n\r\n',
  'Content-Length: 5\r\n',
  '\xff',
]

function mutate(bytes: Buffer, chance: (below: number) => number): Buffer {
  let mutated = bytes
  for (let change = chance(5); change > 0; change--) {
    const at = chance(mutated.length + 1)
    const [head, tail] = [mutated.subarray(0, at), mutated.subarray(at)]
    const word = Buffer.from(WORDS[chance(WORDS.length)] ?? '', 'latin1')
    const flipped = Buffer.from(tail.subarray(0, 1).map((byte) => byte ^ (1 << chance(8))))
    const ways = [
      [head, word, tail],
      [head],
      [head, flipped, tail.subarray(1)],
      [head, tail, head],
      [head, tail.subarray(1)],
    ]
    mutated = Buffer.concat(ways[chance(ways.length)] ?? [])
  }
  return mutated
}

async function withNode(use: (node: Node, lines: string[]) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'sealyard-fuzz-'))
  const lines: string[] = []
  const node = await startNode({
    listen: '127.0.0.1:0',
    verifier: { verify: async () => ({ outcome: 'denied', ttlMs: 60_000 }) },
    log: new Log({ format: 'json', level: 'error', write: (line) => void lines.push(line) }),
  })
  try {
    await mkdir(join(root, 'sealed'))
    await writeFile(join(root, 'sealed/s-t01000-7'), SECRET)
    node.publications.publish('p1', 'sealed', 's-t01000-7', join(root, 'sealed/s-t01000-7'))
    node.serve({ table: {}, implementation: {}, remote: {} as RemoteBackend })
    await use(node, lines)
  } finally {
    await node.close(0)
    await rm(root, { recursive: true })
  }
}

/** The server behind the door waits 12 s for the rest of what is no request, a push 30 s for whoever expects it. */
const SILENCE_MS = 250

/** All that comes back until the connection is gone, or silent. */
function exchange(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes))
    socket.setEncoding('latin1')
    socket.setTimeout(SILENCE_MS, () => socket.destroy())
    socket.on('data', (part: string) => {
      answer += part
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error)
    })
  })
}

test('bytes that are almost requests get no file, break nothing and are no fault of ours', async (t) => {
  t.timeout(120_000)
  const corpus = await Promise.all((await readdir(CORPUS)).sort().map((name) => readFile(join(CORPUS, name))))
  t.true(corpus.length >= 30)
  await withNode(async (node, lines) => {
    const chance = chances(20_261_125)
    let left = ROUNDS
    const one = async () => {
      while (left-- > 0) {
        const bytes = mutate(corpus[chance(corpus.length)] ?? Buffer.alloc(0), chance)
        const answer = await exchange(node.port, bytes)
        const shown = JSON.stringify(bytes.toString('latin1'))
        if (answer.includes(SECRET)) t.fail(`a file without a token: ${shown}`)
        // A push that nobody expects is answered 503 after a while, which says nothing about its bytes.
        // A call that is none is a 500 with a code of JSON-RPC, as go-jsonrpc has it.
        const isCall = answer.includes('"jsonrpc":"2.0"') && answer.includes('"code":-32')
        const fault = isCall ? null : /^HTTP\/1\.1 5(?!03 )/m.exec(answer)
        if (fault !== null) t.fail(`${fault[0]}: ${shown}`)
        if (/\n\s+at |\/tmp\//.test(answer)) t.fail(`a stack or a path: ${answer}`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, one))
    t.deepEqual(lines, [])
    t.is((await fetch(`${node.url}/healthz`)).status, 200)
  })
})
