import type { Cid } from '../../protocol/types.ts'
import { hexOfBase64, unsealedCommitment } from '../../sectors/commitments.ts'
import { fileTypeBits } from '../../sectors/file-types.ts'
import type { SectorRef } from '../../sectors/sector-id.ts'
import { makeDurable } from '../../storage/made-durable.ts'
import { contextOf, type TaskTools, withFiles } from '../task-tools.ts'

export interface UnsealCall {
  readonly sector: SectorRef
  /** Unpadded bytes, as `size`. */
  readonly offset: number
  readonly size: number
  /** Base64. */
  readonly ticket: string
  readonly unsealed: Cid
}

/** UNS: data comes back out of the sealed file. The real cache is not even named: unsealing scribbles into it. */
export async function unseal(tools: TaskTools, call: UnsealCall): Promise<void> {
  const { storage } = tools
  const held = await storage.find('unsealed', call.sector.ID)
  if (held !== null && (await storage.allocated(call.sector, call.offset, call.size))) return
  const unsealed = fileTypeBits('unsealed')
  const sealed = fileTypeBits('sealed')
  const request = {
    task: 'UNS' as const,
    sector: call.sector,
    existing: held === null ? sealed : sealed | unsealed,
    allocate: unsealed,
    kind: 'sealing' as const,
    // The sealed file of a stored sector is 32 GiB or 64: it must not stay in a seal path for one read.
    borrow: true,
  }
  await withFiles(tools, request, async (files) => {
    const { file } = files.file('unsealed')
    await tools.executor.unseal(
      {
        sector: call.sector,
        sealed: files.file('sealed').file,
        unsealed: file,
        ticket: hexOfBase64(call.ticket),
        commD: unsealedCommitment(call.unsealed),
        offset: call.offset,
        size: call.size,
      },
      contextOf(tools, files.scratch),
    )
    // The prover syncs the content, its name is ours: the source may be given back after this.
    await makeDurable('UNS', [file])
  })
}
