import test from 'ava'
import { formatSectorRows, sectorRows } from '../../src/cli/index-commands.ts'
import type { SealerApi } from '../../src/protocol/apis.ts'
import { fileTypeBits } from '../../src/sectors/file-types.ts'

const SECTOR = { Miner: 1005, Number: 7 }
const [SEALED, CACHE] = [fileTypeBits('sealed'), fileTypeBits('cache')]

/** Path a is the copy of record for sealed only; b has a second cache, which is of record. */
const PRIMARY: Readonly<Record<number, Readonly<Record<string, boolean>>>> = {
  [SEALED]: { a: true },
  [CACHE]: { a: false, b: true },
}

test('each file of a sector is primary or a copy by itself, not by what lies beside it', async (t) => {
  const asked: number[] = []
  const client = {
    StorageList: async () => ({
      a: [{ ...SECTOR, SectorFileType: SEALED | CACHE }],
      b: [{ ...SECTOR, SectorFileType: CACHE }],
    }),
    StorageInfo: async (id: string) => ({
      ID: id,
      URLs: [`http://${id}`],
      CanSeal: true,
      CanStore: id === 'b',
    }),
    StorageFindSector: async (_sector: unknown, bits: number) => {
      asked.push(bits)
      return Object.entries(PRIMARY[bits] ?? {}).map(([ID, Primary]) => ({ ID, Primary }))
    },
    SectorsStatus: async () => ({ State: 'Proving' }),
    ActorAddress: async () => 'f01005',
  } as unknown as SealerApi
  const rows = await sectorRows(client)
  t.deepEqual(
    rows.map(({ storage, type, primary, use }) => [storage, type, primary, use]),
    [
      ['b', 'cache', 'primary', 'seal store'],
      ['a', 'cache', 'copy', 'seal'],
      ['a', 'sealed', 'primary', 'seal'],
    ],
  )
  t.deepEqual(asked, [SEALED, CACHE], 'each type of a sector once')
})

test('sectors of several miners are listed by their full names, and only its own have a state', async (t) => {
  const clientOf = (...miners: number[]) =>
    ({
      StorageList: async () => ({
        a: miners.map((Miner) => ({ Miner, Number: 7, SectorFileType: SEALED })),
      }),
      StorageInfo: async (ID: string) => ({ ID, URLs: [], CanSeal: false, CanStore: true }),
      StorageFindSector: async () => [{ ID: 'a', Primary: true }],
      SectorsStatus: async () => ({ State: 'Proving' }),
      ActorAddress: async () => 'f01005',
    }) as unknown as SealerApi
  t.is(
    formatSectorRows(await sectorRows(clientOf(2000, 1005))),
    [
      'Storage  Sector      Type    State    Primary  Path use',
      'a        s-t01005-7  sealed  Proving  primary  store',
      'a        s-t02000-7  sealed           primary  store',
      '',
    ].join('\n'),
  )
  t.regex(formatSectorRows(await sectorRows(clientOf(1005))), /^a +7 +sealed +Proving/m)
})
