import type { FileTypeBits } from '../../sectors/file-types.ts'
import type { SectorRef } from '../../sectors/sector-id.ts'
import type { PathKind } from '../../sectors/space-tables.ts'
import type { TaskTools } from '../task-tools.ts'

export interface FetchCall {
  readonly sector: SectorRef
  readonly bits: FileTypeBits
  readonly kind: PathKind
  readonly mode: 'move' | 'copy'
}

/** Prepare: what a task needs is brought to where it will run; nothing to do when it is here. */
export async function fetch(tools: TaskTools, call: FetchCall): Promise<void> {
  if (call.bits === 0) return
  await tools.storage.fetch(call.sector, call.bits, call.kind, call.mode, tools.signal)
}
