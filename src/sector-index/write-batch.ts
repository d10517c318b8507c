import type { Kysely, Transaction } from 'kysely'

type Write<Tables> = (transaction: Transaction<Tables>) => Promise<unknown>

interface Waiting<Tables> {
  readonly write: Write<Tables>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Group commit: writes that arrive while one transaction runs share the next one, in order of arrival.
 * A path with thousands of files is declared file by file; one fsync each would make that minutes.
 */
export class WriteBatch<Tables> {
  readonly #db: Kysely<Tables>
  #waiting: Waiting<Tables>[] = []
  #running: Promise<void> | null = null

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** Comes back when the write is durable. @throws what the database throws; then nothing of its batch is */
  submit(write: Write<Tables>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Comes back when everything submitted has been written or refused. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    // Let what is submitted in this turn of the loop share the first transaction too.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#db.transaction().execute(async (transaction) => {
          for (const each of batch) await each.write(transaction)
        })
        for (const each of batch) each.resolve()
      } catch (error) {
        for (const each of batch) each.reject(error)
      }
    }
    this.#running = null
  }
}
