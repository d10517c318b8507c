import { randomUUID } from 'node:crypto'
import { link, lstat, rm } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { errorCode } from '../base/errors.ts'
import type { IndexApi } from '../protocol/apis.ts'
import { FILE_TYPE_BIT } from '../sectors/file-types.ts'
import { unpaddedRange } from '../sectors/pieces.ts'
import type { LocalFile, NodeStorage } from '../storage/node-storage.ts'
import { pipelineError } from './errors.ts'
import { dataPieces, refOf, type SectorPiece, type SectorRecord } from './sector-record.ts'
import type { SectorStore } from './sector-store.ts'
import type { Staging } from './staging.ts'
import type { SealerExecutor } from './step.ts'

export interface ReadPieceTools {
  readonly store: SectorStore
  readonly staging: Staging
  readonly executor: SealerExecutor
  readonly index: Pick<IndexApi, 'StorageFindSector'>
  readonly storage: Pick<NodeStorage, 'find' | 'fetch' | 'allocated'>
}

/**
 * Writes a piece's data to a file on this machine, from an unsealed copy; one that lies elsewhere is fetched
 * first.
 * @param index counts the pieces that somebody brought, from 0
 * @param output absolute; it must not exist, and is there whole or not at all
 * @throws PipelineError PIECE_UNKNOWN, BAD_OUTPUT, OUTPUT_EXISTS, NOT_UNSEALED
 */
export async function readPiece(
  number: number,
  index: number,
  output: string,
  tools: ReadPieceTools,
  signal: AbortSignal,
): Promise<{ bytes: number; from: string }> {
  const record = await tools.store.get(number)
  const piece = pieceAt(record, index)
  await refuseOutput(output)
  const local = await localCopy(record, tools, signal)
  const { offset, size } = unpaddedRange(piece)
  if (!(await tools.storage.allocated(refOf(record), offset, size))) throw notUnsealed(record)
  await writeWhole(output, (file) =>
    tools.staging.scratch((scratch) =>
      tools.executor.readUnsealed(
        { proofType: record.proofType, unsealed: local.file, offset, size: piece.dataBytes, output: file },
        { scratch, signal },
      ),
    ),
  )
  return { bytes: piece.dataBytes, from: local.file }
}

function pieceAt(record: SectorRecord, index: number): SectorPiece {
  const pieces = dataPieces(record)
  const piece = pieces[index]
  if (piece !== undefined) return piece
  const { Number: number } = record.id
  throw pipelineError({
    code: 'PIECE_UNKNOWN',
    message:
      pieces.length === 0
        ? `sector ${number} holds zeroes only, there is no piece to read`
        : `sector ${number} has ${pieces.length} pieces, counted from 0; there is no piece ${index}`,
    sector: record.id,
  })
}

async function refuseOutput(output: string): Promise<void> {
  if (!isAbsolute(output)) {
    throw pipelineError({
      code: 'BAD_OUTPUT',
      message: `'${output}' is not an absolute path; the sealer writes the file, and it may run in another directory`,
    })
  }
  const there = await lstat(output).catch((error) => {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  })
  if (there !== null) throw outputExists(output)
}

async function localCopy(
  record: SectorRecord,
  { storage, index }: ReadPieceTools,
  signal: AbortSignal,
): Promise<LocalFile> {
  const local = await storage.find('unsealed', record.id)
  if (local !== null) return local
  const holders = await index.StorageFindSector(record.id, FILE_TYPE_BIT.unsealed, 0, false)
  if (holders.length === 0) throw notUnsealed(record)
  await storage.fetch(refOf(record), FILE_TYPE_BIT.unsealed, 'storage', 'copy', signal)
  const fetched = await storage.find('unsealed', record.id)
  if (fetched === null) throw notUnsealed(record)
  return fetched
}

function notUnsealed(record: SectorRecord) {
  const { Number: number } = record.id
  return pipelineError({
    code: 'NOT_UNSEALED',
    message: `no attached path holds an unsealed copy of this piece of sector ${number}: unseal it first with 'sectors unseal ${number}'`,
    sector: record.id,
  })
}

/**
 * A private name beside the output first; link(2) then gives it the real one and never replaces what is
 * there.
 */
async function writeWhole(output: string, write: (file: string) => Promise<unknown>): Promise<void> {
  const temporary = join(dirname(output), `.${basename(output)}.${randomUUID()}.tmp`)
  try {
    await write(temporary)
    await link(temporary, output)
  } catch (error) {
    throw errorCode(error) === 'EEXIST' ? outputExists(output) : error
  } finally {
    await rm(temporary, { force: true })
  }
}

function outputExists(output: string) {
  return pipelineError({
    code: 'OUTPUT_EXISTS',
    message: `${output} exists already; name a file that does not, or move it away`,
  })
}
