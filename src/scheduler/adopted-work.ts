import type { ConnectedWorker } from './connected-worker.ts'
import { asWork, type TaskRequest, workNeeds } from './decide/request.ts'

type Work = Pick<TaskRequest, 'id' | 'sector' | 'task'>

interface Adopted {
  readonly work: Work
  /** Session. */
  readonly worker: string
  /** Whose account it is in; null until that worker has come back. */
  accountedAt: ConnectedWorker | null
  readonly onBack: (worker: ConnectedWorker) => void
}

/**
 * Work that an earlier run of the sealer gave to workers and that still runs there. It is in no window any more,
 * but uses memory and cores: a worker that looked idle would be given as much again.
 */
export class AdoptedWork {
  readonly #adopted = new Set<Adopted>()

  /**
   * Counts work until its result comes.
   * @param worker null while its worker is away
   * @param onBack called once, when the worker is there
   */
  async follow<T>(
    work: Work,
    session: string,
    worker: ConnectedWorker | null,
    result: Promise<T>,
    onBack: (worker: ConnectedWorker) => void,
  ): Promise<T> {
    const adopted: Adopted = { work, worker: session, accountedAt: null, onBack }
    this.#adopted.add(adopted)
    if (worker !== null) account(adopted, worker)
    try {
      return await result
    } finally {
      this.#adopted.delete(adopted)
      const at = adopted.accountedAt
      at?.active.free(asWork(work), workNeeds(work, at.info), at.info)
    }
  }

  /** A worker has come back: what it still does is in its account from now on. */
  greet(worker: ConnectedWorker): void {
    for (const adopted of this.#adopted) {
      if (adopted.worker === worker.id && adopted.accountedAt === null) account(adopted, worker)
    }
  }

  of(session: string): Work[] {
    return [...this.#adopted].filter(({ worker }) => worker === session).map(({ work }) => work)
  }
}

function account(adopted: Adopted, worker: ConnectedWorker): void {
  adopted.accountedAt = worker
  worker.active.add(asWork(adopted.work), workNeeds(adopted.work, worker.info), worker.info)
  adopted.onBack(worker)
}
