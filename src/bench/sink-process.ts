import { createHash, type Hash } from 'node:crypto'
import { connect } from 'node:net'
import { describeError } from '../base/errors.ts'
import type { SinkOrder, Sunk } from './sink.ts'

/** Node's own HTTP client would be the slowest part by far; this reads into one buffer. */
const BUFFER_BYTES = 2 ** 20

/** What has come of one answer. */
class Answer {
  bytes = 0
  #head = ''
  #length: number | null = null
  readonly #hash: Hash | null

  constructor(hash: Hash | null) {
    this.#hash = hash
  }

  take(part: Buffer): void {
    if (this.#length === null) this.#takeHead(part)
    else {
      this.#hash?.update(part)
      this.bytes += part.length
    }
  }

  #takeHead(part: Buffer): void {
    this.#head += part.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end === -1) return
    const found = /^HTTP\/1\.1 200 [\s\S]*\r\ncontent-length: (\d+)/i.exec(this.#head.slice(0, end))
    this.#length = Number(found?.[1] ?? Number.NaN)
    this.take(Buffer.from(this.#head.slice(end + 4), 'latin1'))
  }

  /** @returns bytes of the body, which must be as long as its head says */
  whole(): number {
    if (this.#length === this.bytes) return this.bytes
    throw new Error(`${this.bytes} bytes came of ${this.#length ?? 'no'}: ${this.#head.split('\r\n')[0]}`)
  }
}

async function downloadOnce(order: SinkOrder, hash: Hash | null): Promise<number> {
  const answer = new Answer(hash)
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  await new Promise<void>((resolve, reject) => {
    const callback = (read: number) => {
      answer.take(buffer.subarray(0, read))
      return true
    }
    const socket = connect({ host: '127.0.0.1', port: order.port, onread: { buffer, callback } })
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.write(
      `GET ${order.path} HTTP/1.1\r\nHost: 127.0.0.1:${order.port}\r\n` +
        `Authorization: Bearer ${order.token}\r\nConnection: close\r\n\r\n`,
    )
  })
  return answer.whole()
}

async function sink(order: SinkOrder): Promise<Sunk> {
  const hash = order.digest ? createHash('sha256') : null
  const begun = performance.now()
  let bytes = 0
  for (let request = 0; request < order.requests; request++) bytes += await downloadOnce(order, hash)
  return { bytes, seconds: (performance.now() - begun) / 1000, digest: hash?.digest('hex') ?? null }
}

// The parent ends this process: until then the message may still be on its way.
try {
  process.send?.(await sink(JSON.parse(process.argv[2] ?? '') as SinkOrder))
} catch (error) {
  process.send?.(describeError(error))
}
