import { z } from 'zod'
import { commonMethods, storageMethods } from './common-methods.ts'
import { list, method, nothing } from './method.ts'
import * as t from './types.ts'

const task = <const P extends readonly z.ZodType[]>(params: P, summary: string) =>
  method({ permission: 'admin', params, result: t.callId, summary })

/** What a worker answers (lotus' worker API 1.7). Task methods answer a CallID at once; results come by Return…. */
export const workerMethods = {
  ...commonMethods,
  ...storageMethods,
  'Filecoin.Version': method({
    permission: 'admin',
    params: [],
    result: z.number(),
    summary: 'Worker API version, major<<16 | minor<<8 | patch',
  }),
  'Filecoin.TaskTypes': method({
    permission: 'admin',
    params: [],
    result: z.record(z.string(), z.object({})),
    summary: 'Task types this worker takes now',
  }),
  'Filecoin.Paths': method({
    permission: 'admin',
    params: [],
    result: list(t.storagePath),
    summary: 'Its storage paths, from memory',
  }),
  'Filecoin.Info': method({
    permission: 'admin',
    params: [],
    result: t.workerInfo,
    summary: 'Host name, memory, processors and what each task needs',
  }),
  'Filecoin.TaskEnable': method({
    permission: 'admin',
    params: [z.string()],
    result: nothing,
    summary: 'Takes tasks of a type again',
  }),
  'Filecoin.TaskDisable': method({
    permission: 'admin',
    params: [z.string()],
    result: nothing,
    summary: 'Stops taking tasks of a type',
  }),
  'Filecoin.Remove': method({
    permission: 'admin',
    params: [t.sectorId],
    result: nothing,
    slow: true,
    summary: 'Removes sealed, cache and unsealed of a sector from this worker',
  }),
  'Filecoin.StorageDetachAll': method({
    permission: 'admin',
    params: [],
    result: nothing,
    slow: true,
    summary: 'Takes all own URLs out of the index',
  }),
  'Filecoin.SetEnabled': method({
    permission: 'admin',
    params: [z.boolean()],
    result: nothing,
    summary: 'Switches the whole worker on or off',
  }),
  'Filecoin.Enabled': method({
    permission: 'admin',
    params: [],
    result: z.boolean(),
    summary: 'Whether it takes work',
  }),
  'Filecoin.WaitQuiet': method({
    permission: 'admin',
    params: [],
    result: nothing,
    slow: true,
    summary: 'Answers when no task runs any more',
  }),
  'Filecoin.ProcessSession': method({
    permission: 'admin',
    params: [],
    result: z.string(),
    summary: 'UUID of this run, also while disabled',
  }),

  'Filecoin.AddPiece': task(
    [t.sectorRef, list(z.number()), z.number(), t.readerParameter],
    'AP: appends a piece; sizes are unpadded bytes',
  ),
  'Filecoin.SealPreCommit1': task([t.sectorRef, t.base64, list(t.pieceInfo)], 'PC1: ticket, padded pieces'),
  'Filecoin.SealPreCommit2': task([t.sectorRef, t.base64], 'PC2: output of PC1'),
  'Filecoin.SealCommit1': task(
    [t.sectorRef, t.base64, t.base64, list(t.pieceInfo), t.sectorCids],
    'C1: ticket, seed, pieces, commitments',
  ),
  'Filecoin.SealCommit2': task([t.sectorRef, t.base64], 'C2: output of C1'),
  'Filecoin.FinalizeSector': task([t.sectorRef], 'FIN: trims the cache in place'),
  'Filecoin.ReleaseUnsealed': task(
    [t.sectorRef, list(z.object({ Offset: z.number(), Size: z.number() }))],
    'FUS: keeps the given padded ranges of the unsealed copy, or removes it when there are none',
  ),
  'Filecoin.MoveStorage': task(
    [t.sectorRef, z.number()],
    'GET: moves the types to a store path of this worker',
  ),
  'Filecoin.UnsealPiece': task(
    [t.sectorRef, z.number(), z.number(), t.base64, t.cid],
    'UNS: unpadded offset and size, ticket, unsealed CID',
  ),
  'Filecoin.Fetch': task(
    [t.sectorRef, z.number(), z.enum(['sealing', 'storage']), z.enum(['move', 'copy'])],
    'Brings files of a sector to this worker',
  ),

  'Sealyard.CopyEngines': method({
    permission: 'read',
    params: [],
    result: t.copyEngines,
    summary: 'How sector files are copied, and which ways work on each storage path of this node, as tried',
  }),
} as const
