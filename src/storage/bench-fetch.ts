import { rm } from 'node:fs/promises'
import { Fetch } from '../native/fetch.ts'

/** What one measured download asks for. */
export interface MeasuredFetch {
  readonly url: string
  readonly token: string
  /** A new file; the directory is there. */
  readonly target: string
  readonly expectedBytes: number
}

/**
 * One file as nodes fetch it, without index, reservations, limits and the final rename: what `sealyard-bench`
 * measures. How far it is is kept beside the target, as a node does, and removed at the end.
 * @returns bytes, which are on the disk
 * @throws FetchError
 */
export async function benchFetch({ url, token, target, expectedBytes }: MeasuredFetch): Promise<number> {
  const record = `${target}.kept`
  const { bytes } = await new Fetch({ url, token, target, record, kind: 'file', expectedBytes }).run()
  await rm(record, { force: true })
  return bytes
}
