import { z } from 'zod'
import { commonMethods, storageMethods } from './common-methods.ts'
import { list, method, nothing } from './method.ts'
import { sectorMethods } from './sector-methods.ts'
import * as t from './types.ts'

const admin = 'admin' as const
const returned = <const P extends readonly z.ZodType[]>(value: P) =>
  method({
    permission: admin,
    params: [t.callId, ...value, t.callError] as const,
    result: nothing,
    summary: 'Hands in the result of a call',
  })

/** The sector index (lotus-compat 3), reached by workers over RPC and by the sealer in process. */
export const indexMethods = {
  'Filecoin.StorageAttach': method({
    permission: admin,
    params: [t.storageInfo, t.fsStat],
    result: nothing,
    summary: 'Makes a storage path known, or one more URL of it',
  }),
  'Filecoin.StorageDetach': method({
    permission: admin,
    params: [z.string(), z.string()],
    result: nothing,
    summary: 'Forgets one URL of a path; with the last one the path',
  }),
  'Filecoin.StorageInfo': method({
    permission: admin,
    params: [z.string()],
    result: t.storageInfo,
    summary: 'What is known of a path',
  }),
  'Filecoin.StorageReportHealth': method({
    permission: admin,
    params: [z.string(), t.healthReport],
    result: nothing,
    summary: 'Heartbeat of a path, every 10 s',
  }),
  'Filecoin.StorageDeclareSector': method({
    permission: admin,
    params: [z.string(), t.sectorId, z.number(), z.boolean()],
    result: nothing,
    summary: 'Says that a path holds a sector file',
  }),
  'Filecoin.StorageDropSector': method({
    permission: admin,
    params: [z.string(), t.sectorId, z.number()],
    result: nothing,
    summary: 'Says that a path holds it no longer',
  }),
  'Filecoin.StorageFindSector': method({
    permission: admin,
    params: [t.sectorId, z.number(), z.number(), z.boolean()],
    result: list(t.sectorStorageInfo),
    summary: 'Paths that hold any of the types; with allowFetch also those that could',
  }),
  'Filecoin.StorageBestAlloc': method({
    permission: admin,
    params: [z.number(), z.number(), z.enum(['sealing', 'storage']), z.number().default(0)],
    optional: 1,
    result: list(t.storageInfo),
    summary: 'Paths with room for the types, best first',
  }),
  'Filecoin.StorageLock': method({
    permission: admin,
    params: [t.sectorId, z.number(), z.number()],
    result: nothing,
    slow: true,
    summary: 'Takes locks for the length of the call (read bits, write bits)',
  }),
  'Filecoin.StorageTryLock': method({
    permission: admin,
    params: [t.sectorId, z.number(), z.number()],
    result: z.boolean(),
    summary: 'The same without waiting',
  }),
  'Filecoin.StorageGetLocks': method({
    permission: admin,
    params: [],
    result: t.sectorLocks,
    summary: 'Locks held',
  }),
  'Filecoin.StorageList': method({
    permission: admin,
    params: [],
    result: z.record(z.string(), list(t.declaration)),
    summary: 'Path ID → what it holds',
  }),
} as const

/** The account of space (one writer, in the sealer). */
export const spaceMethods = {
  'Sealyard.SpaceReserve': method({
    permission: admin,
    params: [t.spaceRequest],
    result: t.spaceAnswer,
    summary: 'Reserves for all entries or for none',
  }),
  'Sealyard.SpaceRelease': method({
    permission: admin,
    params: [z.array(z.string())],
    result: nothing,
    summary: 'Gives reservations back; an unknown one is fine',
  }),
  'Sealyard.SpaceLanded': method({
    permission: admin,
    params: [z.array(z.object({ id: z.string(), onDiskBytes: z.number() })), z.array(t.filesystemView)],
    result: nothing,
    summary: 'Bytes that have landed of reservations, and fresh views of filesystems',
  }),
  'Sealyard.SpaceReservations': method({
    permission: 'read',
    params: [],
    result: list(t.reservation),
    summary: 'All reservations',
  }),
} as const

/** How results come back (lotus-compat 5.3). */
export const returnMethods = {
  'Filecoin.ReturnAddPiece': returned([t.pieceInfo.nullable()] as const),
  'Filecoin.ReturnSealPreCommit1': returned([t.base64.nullable()] as const),
  'Filecoin.ReturnSealPreCommit2': returned([t.sectorCids.nullable()] as const),
  'Filecoin.ReturnSealCommit1': returned([t.base64.nullable()] as const),
  'Filecoin.ReturnSealCommit2': returned([t.base64.nullable()] as const),
  'Filecoin.ReturnFinalizeSector': returned([] as const),
  'Filecoin.ReturnReleaseUnsealed': returned([] as const),
  'Filecoin.ReturnMoveStorage': returned([] as const),
  'Filecoin.ReturnUnsealPiece': returned([] as const),
  'Filecoin.ReturnFetch': returned([] as const),
} as const

/** What a sealer answers. */
export const sealerMethods = {
  ...commonMethods,
  ...storageMethods,
  ...indexMethods,
  ...spaceMethods,
  ...returnMethods,
  ...sectorMethods,
  // On a lotus miner who may read may ask; on a worker only an admin, as the common table has it.
  'Filecoin.Session': { ...commonMethods['Filecoin.Session'], permission: 'read' },
  'Filecoin.Version': method({
    permission: 'read',
    params: [],
    result: t.minerVersion,
    summary: 'Miner API version',
  }),
  'Filecoin.AuthVerify': method({
    permission: 'read',
    params: [z.string()],
    result: list(z.string()),
    summary: 'Permissions of a token; an error when it is not ours',
  }),
  'Filecoin.AuthNew': method({
    permission: admin,
    params: [list(z.string()), z.number().int().positive().nullish()],
    optional: 1,
    result: t.base64,
    summary: 'Makes a token with the given permissions or scopes, for so many seconds or for ever',
  }),
  'Filecoin.StorageAuthVerify': method({
    permission: 'read',
    params: [z.string()],
    result: list(z.string()),
    summary: 'As AuthVerify, for /remote',
  }),
  'Filecoin.StorageStat': method({
    permission: admin,
    params: [z.string()],
    result: t.fsStat,
    summary: "A path's space, asked of a node that has it",
  }),
  'Filecoin.ActorAddress': method({
    permission: 'read',
    params: [],
    result: z.string(),
    summary: 'The miner',
  }),
  'Filecoin.ActorSectorSize': method({
    permission: 'read',
    params: [z.string()],
    result: z.number(),
    summary: 'Its sector size in bytes',
  }),
  'Filecoin.WorkerConnect': method({
    permission: admin,
    params: [z.string()],
    result: nothing,
    summary: 'A worker offers itself, by the URL of its /rpc/v0',
  }),
  'Filecoin.WorkerStats': method({
    permission: admin,
    params: [],
    result: z.record(z.string(), t.workerStats),
    summary: 'Connected workers and what they use',
  }),
  'Filecoin.WorkerJobs': method({
    permission: admin,
    params: [],
    result: z.record(z.string(), list(t.workerJob)),
    summary: 'Jobs by worker',
  }),
  'Filecoin.SealingSchedDiag': method({
    permission: admin,
    params: [z.boolean()],
    result: t.schedDiag,
    summary: 'The queue and the open windows',
  }),
  'Filecoin.SealingAbort': method({
    permission: admin,
    params: [t.callId],
    result: nothing,
    summary: 'Answers a call with "task aborted"',
  }),
  'Filecoin.SealingRemoveRequest': method({
    permission: admin,
    params: [z.string()],
    result: nothing,
    summary: 'Takes a request out of the queue by its SchedId',
  }),
  'Sealyard.ReservationRelease': method({
    permission: admin,
    params: [z.string()],
    result: t.reservation,
    summary:
      'Gives back space that a worker was promised which never comes back; refused while its call runs',
  }),
  'Sealyard.Decisions': method({
    permission: 'read',
    params: [],
    result: list(t.decision),
    summary: 'The latest scheduling decisions: each window with its reason and its cost',
  }),
} as const
