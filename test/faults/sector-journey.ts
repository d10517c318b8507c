import { randomBytes, randomUUID } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pushFile } from '../../src/protocol/reader-streams.ts'
import type { SectorStatus } from '../../src/protocol/types.ts'
import { initStoragePath } from '../../src/storage/init-storage-path.ts'
import { type ClusterToKill, eventually, MINER } from './cluster-to-kill.ts'
import { commitmentsOf, differencesFromUndisturbed, ticketHex } from './reference-seal.ts'

/** Less than a sector takes, so that a piece of zeroes follows. */
const PIECE_BYTES = 700
/** Without anybody dying. A journey takes a second; whoever dies on the way is back in another. */
const LIMIT_MS = 120_000

const EXTRA = {
  weight: 1,
  canSeal: true,
  canStore: false,
  maxStorageBytes: 0,
  groups: [],
  allowTo: [],
} as const

/** One Groth16 proof's length, base64. */
const MADE_UP_PROOF = Buffer.alloc(192, 7).toString('base64')

/** What must have happened to a sector once and only once, whoever died. */
const ONCE = ['PC1', 'PC2', 'C1', 'FIN'] as const

/**
 * One sector from a piece of data to its removal. Every question is asked until somebody answers, for daemons die
 * meanwhile; whatever must hold at the end of each part is checked.
 */
export class SectorJourney {
  readonly #cluster: ClusterToKill
  readonly #data = randomBytes(PIECE_BYTES)
  readonly #copiesMayStay: boolean
  readonly #privateMayStay: boolean
  #number = 0
  /** Copies in seal paths that lay there when its sector was stored. */
  copiesLeft = 0

  /**
   * @param copiesMayStay a worker that is away when a sector is stored keeps its copy until the sector is removed
   * @param privateMayStay a move whose clean-up failed keeps its private files until the worker starts again
   */
  constructor(cluster: ClusterToKill, { copiesMayStay = false, privateMayStay = false } = {}) {
    this.#cluster = cluster
    this.#copiesMayStay = copiesMayStay
    this.#privateMayStay = privateMayStay
  }

  get number(): number {
    return this.#number
  }

  get name(): string {
    return `s-t0${MINER}-${this.#number}`
  }

  async seal(): Promise<void> {
    this.#number = await this.#add()
    await this.#until('it is sealed', async () => (await this.status()).State === 'Proving')
    const status = await this.status()
    const times = (kind: string) => status.Log.filter((each) => each.Kind === kind).length
    for (const kind of ONCE) this.#demand(times(kind) === 1, `${kind} was applied ${times(kind)} times`)
    await this.#nothingIsLeft(['cache', 'sealed'])
    await this.#isSealedRightly(status)
  }

  /** The deferred C2, made elsewhere: this cluster has no verifying key, so that any bytes do. */
  async prove(): Promise<void> {
    await this.#until('its proof has landed', async () => {
      const { State, CommitMsg, Proof } = await this.status()
      if (State === 'Proving' && CommitMsg !== null) return true
      if (Proof === null) await (await this.#cluster.api()).ImportProof(this.#number, MADE_UP_PROOF)
      return false
    })
    const times = (await this.status()).Log.filter((each) => /proof made elsewhere/.test(each.Message)).length
    this.#demand(times === 1, `its proof was applied ${times} times`)
  }

  /** Whoever died on the way: a PC2 over leftovers gives another comm_r without any error. */
  async #isSealedRightly(status: SectorStatus): Promise<void> {
    const fileOf = (type: string) => join(this.#cluster.store, type, this.name)
    const different = await differencesFromUndisturbed(
      {
        sector: { ID: { Miner: MINER, Number: this.#number }, ProofType: status.SealProof },
        ticket: ticketHex(status.Ticket.Value),
        data: this.#data,
      },
      { ...commitmentsOf(status), sealed: fileOf('sealed'), cache: fileOf('cache') },
    )
    this.#demand(different.length === 0, `it is not what an undisturbed seal makes: ${different.join('; ')}`)
    this.#cluster.comparedSeals += 1
  }

  async unseal(): Promise<void> {
    await this.#until('it is unsealed', async () => {
      await (await this.#cluster.api()).SectorUnseal(this.#number)
      return true
    })
    const output = join(this.#cluster.directory, `piece-${this.#number}.out`)
    await this.#until('its piece is read', async () => {
      await rm(output, { force: true })
      await (await this.#cluster.api()).ReadPiece(this.#number, 0, output)
      return true
    })
    this.#demand(this.#data.equals(await readFile(output)), 'its unsealed data is not what was put in')
    await this.#nothingIsLeft(['cache', 'sealed', 'unsealed'])
  }

  async remove(): Promise<void> {
    await this.#until('it is removed', async () => {
      await (await this.#cluster.api()).SectorRemove(this.#number)
      return (await this.status()).State === 'Removed'
    })
    await this.#nothingIsLeft([])
  }

  /** Each daemon gets one more path, and gives it up again. */
  async attachAndDetach(): Promise<void> {
    const { directory, workers } = this.#cluster
    const owners = [['sealer', () => this.#cluster.api()] as const].concat(
      [...workers.keys()].map((name) => [name, () => this.#cluster.workerApi(name)] as const) as never,
    )
    for (const [name, api] of owners) {
      const extra = join(directory, `extra-${name}-${this.#number}`)
      await initStoragePath(extra, EXTRA)
      const isAttached = async () => Object.values(await (await api()).StorageLocal()).includes(extra)
      await this.#until(`${name} has attached one more path`, async () => {
        if (!(await isAttached())) await (await api()).StorageAddLocal(extra)
        return isAttached()
      })
      await this.#until(`${name} has detached it`, async () => {
        if (await isAttached()) await (await api()).StorageDetachLocal(extra)
        return !(await isAttached())
      })
    }
    await this.#until('the index has forgotten the others', async () => {
      const paths = Object.keys(await (await this.#cluster.api()).StorageList())
      return paths.length === 1 + workers.size
    })
  }

  async status(): Promise<SectorStatus> {
    return (await this.#cluster.api()).SectorsStatus(this.#number, false)
  }

  /** A sealer that dies while it takes a sector may have made it or not: the list says. */
  #add(): Promise<number> {
    return this.#cluster.adding.run('sector', () => this.#addOne())
  }

  async #addOne(): Promise<number> {
    let known: number[] | null = null
    let made = 0
    await this.#until('a sector is added', async () => {
      const api = await this.#cluster.api()
      const numbers = await api.SectorsList()
      known ??= numbers
      made = numbers.find((each) => !known?.includes(each)) ?? 0
      if (made === 0) made = await this.#offer()
      return made > 0
    })
    return made
  }

  async #offer(): Promise<number> {
    const { sealer, directory } = this.#cluster
    const file = join(directory, `piece-${randomUUID()}.in`)
    await writeFile(file, this.#data)
    const uuid = randomUUID()
    const token = await this.#cluster.token()
    const push = pushFile({ url: `${sealer.url}/rpc/v0`, token, uuid, file, bytes: PIECE_BYTES })
    push.catch(() => undefined)
    const reader = { Type: 'push', Info: uuid } as const
    const added = await (await this.#cluster.api()).SectorAdd({
      pieces: [{ dataBytes: PIECE_BYTES, reader }],
    })
    await push
    return added.sector.Number
  }

  /** Its files lie in the store and nowhere else; no space is promised for it, no lock held, no call open. */
  async #nothingIsLeft(stored: readonly string[]): Promise<void> {
    let found = ''
    const question = async () => {
      const isCounted = (file: string) => !(this.#privateMayStay && file.includes('/fetching/'))
      const all = (await this.#files()).filter(isCounted)
      const copies = all.filter((file) => !file.startsWith(this.#cluster.store))
      const mayStay = this.#copiesMayStay && stored.length > 0
      if (mayStay) this.copiesLeft = copies.length
      const counted = mayStay ? all.filter((file) => !copies.includes(file)) : all
      found = JSON.stringify({ files: counted, ...(await this.#promises()) })
      const files = stored.map((type) => `${this.#cluster.store}/${type}/${this.name}`)
      return found === JSON.stringify({ files, reservations: [], locks: [], jobs: [] })
    }
    await this.#until('nothing is left behind', question).catch((error: Error) => {
      throw new Error(`${error.message}; there was ${found}`)
    })
  }

  async #files(): Promise<string[]> {
    const { store, workers } = this.#cluster
    const roots = [store, ...[...workers.keys()].map((worker) => this.#cluster.sealPath(worker))]
    const found: string[] = []
    for (const root of roots) {
      for (const name of await readdir(root, { recursive: true })) {
        // Below a directory of its own there may be anything.
        const isOfSector = basename(name).split('.')[0] === this.name
        if (isOfSector) found.push(`${root}/${name}`)
      }
    }
    return found.sort()
  }

  async #promises(): Promise<{ reservations: unknown[]; locks: unknown[]; jobs: unknown[] }> {
    const api = await this.#cluster.api()
    const { Locks } = await api.StorageGetLocks()
    return {
      reservations: (await api.SpaceReservations()).filter(({ sector }) => sector.Number === this.#number),
      locks: Locks.filter(({ Sector }) => Sector.Number === this.#number),
      jobs: Object.values(await api.WorkerJobs())
        .flat()
        .filter(({ Sector }) => Sector.Number === this.#number),
    }
  }

  async #until(what: string, question: () => Promise<boolean>): Promise<void> {
    const starts = () => this.#cluster.nodes().reduce((sum, node) => sum + node.starts, 0)
    await eventually(`sector ${this.#number}: ${what}`, LIMIT_MS, question, starts).catch(
      async (error: Error) => {
        throw new Error(`${error.message}\n${await this.#story()}`)
      },
    )
  }

  async #story(): Promise<string> {
    const status = await this.status().catch(() => null)
    if (status === null) return 'the sealer does not say what became of it'
    const log = status.Log.map((each) => `  ${each.Kind} ${each.Message}`).slice(-15)
    return [`it stands in ${status.State}: ${status.LastErr}`, ...log].join('\n')
  }

  #demand(holds: boolean, otherwise: string): void {
    if (!holds) throw new Error(`sector ${this.#number}: ${otherwise}`)
  }
}
