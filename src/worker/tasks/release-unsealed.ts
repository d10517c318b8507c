import { fileTypeBits } from '../../sectors/file-types.ts'
import type { SectorRef } from '../../sectors/sector-id.ts'
import { isNotHeld } from '../errors.ts'
import { contextOf, type TaskTools, withFiles } from '../task-tools.ts'

export interface ReleaseUnsealedCall {
  readonly sector: SectorRef
  /** Padded bytes. */
  readonly keep: readonly { readonly Offset: number; readonly Size: number }[]
}

/** FUS: frees what is not kept of the unsealed copy; with nothing to keep the copy goes from this worker. */
export async function releaseUnsealed(tools: TaskTools, call: ReleaseUnsealedCall): Promise<void> {
  if (call.keep.length === 0) return removeIfHeld(tools, call.sector)
  const request = {
    task: 'FUS' as const,
    sector: call.sector,
    existing: fileTypeBits('unsealed'),
    allocate: 0,
    kind: 'sealing' as const,
  }
  await withFiles(tools, request, (files) =>
    tools.executor.freeUnsealed(
      {
        proofType: call.sector.ProofType,
        unsealed: files.file('unsealed').file,
        keep: call.keep.map((range) => ({ offset: range.Offset, size: range.Size })),
      },
      contextOf(tools, files.scratch),
    ),
  )
}

async function removeIfHeld(tools: TaskTools, sector: SectorRef): Promise<void> {
  try {
    await tools.storage.remove(sector.ID, 'unsealed', [])
  } catch (error) {
    if (!isNotHeld(error)) throw error
  }
}
