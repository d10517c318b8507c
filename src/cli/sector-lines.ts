import type { SealerApi } from '../protocol/apis.ts'
import { isUnknownMethod } from '../protocol/errors.ts'
import type { SectorLine, SectorStatus } from '../protocol/types.ts'

type Asked = Pick<SealerApi, 'SectorLines' | 'SectorsList' | 'SectorsStatus'>

/** All sectors for a list. A node that has no such call is asked for each sector, which fetches its log. */
export async function sectorLines(client: Asked): Promise<SectorLine[]> {
  try {
    return await client.SectorLines()
  } catch (error) {
    if (!isUnknownMethod(error)) throw error
    return linesOneByOne(client)
  }
}

/** Each call has a connection of its own: ten thousand at once would end at the limit of open files. */
const CALLS_AT_ONCE = 32

async function linesOneByOne(client: Asked): Promise<SectorLine[]> {
  const numbers = await client.SectorsList()
  const found: SectorLine[] = []
  for (let at = 0; at < numbers.length; at += CALLS_AT_ONCE) {
    const some = numbers.slice(at, at + CALLS_AT_ONCE)
    const statuses = await Promise.all(some.map((number) => client.SectorsStatus(number, false)))
    found.push(...statuses.map(lineOf))
  }
  return found
}

/** What a list says of a sector whose whole status is here. */
export function lineOf({ Log: log, Proof: _proof, Sealyard, ...fields }: SectorStatus): SectorLine {
  const timeOf = (at: number) => (log[at] === undefined ? null : log[at].Timestamp * 1000)
  const line = {
    ...fields,
    Events: log.length,
    FirstEventAt: timeOf(0),
    ProvingAt: timeOf(log.findIndex(({ Message }) => Message.endsWith(' → Proving'))),
  }
  if (Sealyard === undefined) return line
  const { logTimes: _times, ...extras } = Sealyard
  return { ...line, Sealyard: extras }
}
