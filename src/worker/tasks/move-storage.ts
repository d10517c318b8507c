import type { FileTypeBits } from '../../sectors/file-types.ts'
import type { SectorRef } from '../../sectors/sector-id.ts'
import type { TaskTools } from '../task-tools.ts'

/** GET: the types come to rest on a store path of this worker. */
export async function moveStorage(tools: TaskTools, sector: SectorRef, bits: FileTypeBits): Promise<void> {
  if (bits === 0) return
  await tools.storage.moveToStore(sector, bits, tools.signal)
}
