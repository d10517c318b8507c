import { connect, type Socket } from 'node:net'
import type { SinkOrder } from './sink.ts'

/**
 * All sockets read into one buffer: each call back is over before the next read. Node's own HTTP client would be the
 * slowest part by far. SO_RCVLOWAT, which lets a receiver sleep until much has come, cannot be set from Node.
 */
const buffer = Buffer.allocUnsafe(2 ** 20)
/** Of keep-alive connections that a server closes between two answers, as it may. */
const MOST_ATTEMPTS = 3
const LONGEST_HEAD = 2 ** 14

interface Request {
  readonly path: string
  attempts: number
  resolve(bytes: number): void
  reject(error: Error): void
}

/** Asks for one body after the other on one connection, as long as the server keeps it open. */
export class SinkConnection {
  readonly #order: SinkOrder
  readonly #take: ((part: Buffer) => void) | null
  #socket: Socket | null = null
  #request: Request | null = null
  #head = ''
  /** What the head says, once it is whole. */
  #length: number | null = null
  #bytes = 0

  /** @param take is given each part of each body */
  constructor(order: SinkOrder, take: ((part: Buffer) => void) | null) {
    this.#order = order
    this.#take = take
  }

  /** @returns bytes of the body, which is as long as its head says */
  get(path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#request = { path, attempts: 0, resolve, reject }
      this.#send()
    })
  }

  close(): void {
    this.#socket?.destroy()
  }

  #send(): void {
    const { host, port, token } = this.#order
    ;[this.#head, this.#length, this.#bytes] = ['', null, 0]
    if (this.#request === null) return
    this.#request.attempts++
    this.#socket ??= this.#connect()
    this.#socket.write(
      `GET ${this.#request.path} HTTP/1.1\r\nHost: ${host}:${port}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    )
  }

  #connect(): Socket {
    const { host, port } = this.#order
    const callback = (read: number) => {
      this.#receive(buffer.subarray(0, read))
      return true
    }
    const socket = connect({ host, port, noDelay: true, onread: { buffer: () => buffer, callback } })
    let reason = 'the server closed the connection'
    socket.on('error', (error) => {
      reason = error.message
    })
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = null
      this.#lost(reason)
    })
    return socket
  }

  #lost(reason: string): void {
    if (this.#request === null) return
    const isUntouched = this.#head === '' && this.#request.attempts < MOST_ATTEMPTS
    if (isUntouched) this.#send()
    else this.#fail(`${reason} after ${this.#bytes} bytes of ${this.#length ?? 'no body'}`)
  }

  #receive(part: Buffer): void {
    if (this.#length === null) this.#takeHead(part)
    else this.#takeBody(part)
  }

  #takeHead(part: Buffer): void {
    const before = this.#head.length
    this.#head += part.toString('latin1', 0, Math.min(part.length, LONGEST_HEAD))
    const end = this.#head.indexOf('\r\n\r\n')
    if (end === -1) {
      if (this.#head.length > LONGEST_HEAD) this.#fail('the head has no end')
      return
    }
    this.#head = this.#head.slice(0, end)
    const found = /^HTTP\/1\.1 200 [\s\S]*\r\ncontent-length: (\d+)/i.exec(this.#head)
    if (found === null) this.#fail(`the answer was: ${this.#head.split('\r\n')[0]}`)
    else {
      this.#length = Number(found[1])
      this.#takeBody(part.subarray(end + 4 - before))
    }
  }

  #takeBody(part: Buffer): void {
    this.#bytes += part.length
    this.#take?.(part)
    const left = (this.#length ?? 0) - this.#bytes
    if (left < 0) this.#fail('more came than the head says')
    if (left !== 0) return
    const request = this.#request
    this.#request = null
    request?.resolve(this.#bytes)
  }

  #fail(words: string): void {
    const request = this.#request
    this.#request = null
    this.close()
    request?.reject(new Error(`${request.path}: ${words}`))
  }
}
