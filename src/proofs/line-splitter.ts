/** Cuts a stream of bytes into lines, without ever holding more than one line of a limited length. */
export class LineSplitter {
  readonly #limitBytes: number
  #parts: Buffer[] = []
  #bytes = 0
  #tooLong = false

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /**
   * Takes the next bytes.
   * @returns whole lines without their newline; null stands for one that was longer than the limit
   */
  push(chunk: Buffer): (string | null)[] {
    const lines: (string | null)[] = []
    let start = 0
    for (let end = chunk.indexOf(10, start); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end))
      lines.push(this.#take())
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
    return lines
  }

  /** Bytes that wait for their newline. */
  get pendingBytes(): number {
    return this.#bytes
  }

  /** True once the line that is coming in has passed the limit. */
  get overflowing(): boolean {
    return this.#tooLong
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return
    this.#bytes += part.length
    this.#tooLong ||= this.#bytes > this.#limitBytes
    if (this.#tooLong) this.#parts = []
    else this.#parts.push(part)
  }

  #take(): string | null {
    const line = this.#tooLong ? null : Buffer.concat(this.#parts).toString('utf8')
    this.#parts = []
    this.#bytes = 0
    this.#tooLong = false
    return line
  }
}
