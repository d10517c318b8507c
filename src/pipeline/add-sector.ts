import type { Logger } from '../base/log.ts'
import type { SealerApi } from '../protocol/apis.ts'
import type { ReaderSource } from '../protocol/connections.ts'
import type { ReaderParameter } from '../protocol/types.ts'
import { untilAborted } from '../scheduler/under-lock.ts'
import { unsealedCid } from '../sectors/commitments.ts'
import { type PlacedPiece, packPieces } from '../sectors/pieces.ts'
import { unpaddedSize } from '../sectors/proof-types.ts'
import { sectorName } from '../sectors/sector-id.ts'
import { pipelineError } from './errors.ts'
import { dataPieces, type SectorPiece, type SectorRecord } from './sector-record.ts'
import type { SectorEvent, SectorStore } from './sector-store.ts'
import type { Staging } from './staging.ts'
import type { SealerExecutor } from './step.ts'

export interface AddSectorTools {
  readonly store: SectorStore
  readonly staging: Staging
  readonly executor: SealerExecutor
  readonly readers: ReaderSource
  readonly sectorSize: number
  /** Of new sectors. */
  readonly proofType: number
  readonly keepUnsealed: boolean
  /** The highest number of this miner's sectors that any storage path holds; 0 for none. */
  readonly highestHeld: () => Promise<number>
  readonly log: Logger
}

interface OfferedPiece {
  readonly dataBytes: number
  readonly reader: ReaderParameter
}

/** @returns a sector of one piece of zeroes, not started yet */
export async function pledgeSector(tools: AddSectorTools): Promise<SectorRecord> {
  const pieces = packPieces([], tools.sectorSize).map(zeroPiece)
  const { proofType, keepUnsealed } = tools
  return created({ proofType, state: 'Packing', pieces, staging: null, keepUnsealed }, tools, {
    kind: 'state',
    message: 'pledged: a sector of zeroes; now Packing',
  })
}

/** Above all numbers that are taken, also by sectors that this sealer knows only as files. */
async function created(
  sector: Parameters<SectorStore['create']>[0],
  { highestHeld, log, store }: AddSectorTools,
  event: SectorEvent,
): Promise<SectorRecord> {
  const highest = await highestHeld()
  // Looked up before: once the sector is there, nothing may fail any more.
  const isForeign = highest > 0 && (await store.find(highest)) === null
  const record = await store.create(sector, highest, event)
  if (record.id.Number === highest + 1 && isForeign) {
    log.info(
      `numbers up to ${highest} are left out: an attached storage path holds a sector of this miner with that number which this sealer did not make`,
      { sector: sectorName(record.id) },
    )
  }
  return record
}

/**
 * Receives the pieces' data into a staging directory and makes a sector of it, all durable when it comes
 * back. Nothing stays when it fails.
 * @returns the sector, not started yet
 * @throws SealyardError PIECES_TOO_LARGE, BAD_PIECE, NO_SPACE before anything is received; PipelineError PIECE_LENGTH
 */
export async function addSector(
  offered: readonly OfferedPiece[],
  tools: AddSectorTools,
  signal: AbortSignal,
): Promise<SectorRecord> {
  const placed = packPieces(
    offered.map((piece) => piece.dataBytes),
    tools.sectorSize,
  )
  const staging = await tools.staging.make(offered.reduce((sum, { dataBytes }) => sum + dataBytes, 0))
  try {
    // An upload may take an hour: a sealer that stops does not wait for it.
    await untilAborted(receiveAll(offered, staging, tools), signal)
    const pieces = await committed(placed, staging, tools, signal)
    await tools.staging.keep(staging)
    signal.throwIfAborted()
    const { proofType, keepUnsealed } = tools
    const words = `${offered.length} ${offered.length === 1 ? 'piece' : 'pieces'} of data`
    return await created({ proofType, state: 'AddPiece', pieces, staging, keepUnsealed }, tools, {
      kind: 'state',
      message: `${words} received; now AddPiece`,
    })
  } catch (error) {
    await tools.staging.drop(staging)
    throw error
  }
}

/**
 * All at once: whoever pushes a piece waits half a minute for it to be wanted, and the one before may take an
 * hour.
 */
async function receiveAll(
  offered: readonly OfferedPiece[],
  staging: string,
  tools: AddSectorTools,
): Promise<void> {
  const results = await Promise.allSettled(
    offered.map(({ reader, dataBytes }, index) =>
      receive(reader, dataBytes, tools.staging.path(staging, fileName(index)), tools),
    ),
  )
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

async function receive(
  reader: ReaderParameter,
  dataBytes: number,
  target: string,
  { readers }: AddSectorTools,
): Promise<void> {
  const { bytes } = await readers.receive(reader, target, dataBytes)
  if (bytes === dataBytes) return
  throw pipelineError({
    code: 'PIECE_LENGTH',
    message: `a piece of ${dataBytes} bytes was announced, ${bytes} bytes came; nothing was kept, add it again`,
  })
}

/**
 * Laid-out pieces with what they will be checked against; data pieces come in the order they were offered.
 */
async function committed(
  placed: readonly PlacedPiece[],
  staging: string,
  tools: AddSectorTools,
  signal: AbortSignal,
): Promise<SectorPiece[]> {
  const pieces: SectorPiece[] = []
  let index = 0
  for (const piece of placed) {
    if (piece.dataBytes === 0) {
      pieces.push(zeroPiece(piece))
      continue
    }
    const file = fileName(index++)
    const task = {
      proofType: tools.proofType,
      pieceBytes: unpaddedSize(piece.size),
      source: { kind: 'file', file: tools.staging.path(staging, file), dataBytes: piece.dataBytes } as const,
    }
    const { commitment } = await tools.staging.scratch((scratch) =>
      tools.executor.pieceCommitment(task, { scratch, signal }),
    )
    pieces.push({ ...piece, commitment: unsealedCid(commitment)['/'], file, added: false })
  }
  return pieces
}

function zeroPiece(piece: PlacedPiece): SectorPiece {
  return { ...piece, commitment: null, file: null, added: false }
}

function fileName(index: number): string {
  return `piece-${index}`
}

/** What SectorAdd answers. */
export function addedAnswer(record: SectorRecord): Awaited<ReturnType<SealerApi['SectorAdd']>> {
  return {
    sector: record.id,
    pieces: dataPieces(record).map(({ offset, size, dataBytes, commitment }) => ({
      offset,
      size,
      dataBytes,
      commitment: commitment ?? '',
    })),
  }
}
