import { z } from 'zod'
import { list, method, nothing } from './method.ts'
import * as t from './types.ts'

const admin = 'admin' as const

/** What a sealer is asked of its sectors: the field's methods, then ours. */
export const sectorMethods = {
  'Filecoin.PledgeSector': method({
    permission: 'write',
    params: [],
    result: t.sectorId,
    summary: 'Starts a sector filled with zeroes',
  }),
  'Filecoin.SectorsList': method({
    permission: 'read',
    params: [],
    result: list(z.number()),
    summary: 'Numbers of all sectors',
  }),
  'Filecoin.SectorsStatus': method({
    permission: 'read',
    params: [z.number(), z.boolean()],
    result: t.sectorStatus,
    summary: 'State, commitments and log of a sector',
  }),
  'Filecoin.SectorsSummary': method({
    permission: 'read',
    params: [],
    result: z.record(z.string(), z.number()),
    summary: 'State → how many sectors',
  }),
  'Sealyard.SectorLines': method({
    permission: 'read',
    params: [],
    result: list(t.sectorLine),
    summary: 'All sectors as SectorsStatus has them, without logs and proofs',
  }),
  'Filecoin.SectorUnseal': method({
    permission: admin,
    params: [z.number()],
    result: nothing,
    slow: true,
    summary: 'Unseals a whole sector into a store path; answers when done',
  }),
  'Filecoin.SectorRemove': method({
    permission: admin,
    params: [z.number()],
    result: nothing,
    slow: true,
    summary: 'Removes a sector and its files',
  }),
  'Sealyard.SectorAdd': method({
    permission: 'write',
    params: [
      z.object({ pieces: z.array(z.object({ dataBytes: z.number(), reader: t.readerParameter })).min(1) }),
    ],
    result: z.object({
      sector: t.sectorId,
      pieces: z.array(
        z.object({ offset: z.number(), size: z.number(), dataBytes: z.number(), commitment: z.string() }),
      ),
    }),
    slow: true,
    summary: 'Starts a sector with real data: pieces are padded, checked, their commitments answered',
  }),
  'Sealyard.Commit2Input': method({
    permission: admin,
    params: [z.number()],
    result: t.base64,
    summary: "C1's output, for proving C2 elsewhere",
  }),
  'Sealyard.Commit2': method({
    permission: admin,
    params: [z.number()],
    result: nothing,
    slow: true,
    summary: 'Takes up a deferred C2 from the kept output of C1',
  }),
  'Sealyard.ImportProof': method({
    permission: admin,
    params: [z.number(), t.base64],
    result: z.object({ verified: z.boolean() }),
    slow: true,
    summary: 'Takes a proof made elsewhere, and says whether the verifying key was here to verify it',
  }),
  'Sealyard.SectorRetry': method({
    permission: admin,
    params: [z.number()],
    result: nothing,
    slow: true,
    summary: 'Tries a failed sector again at once, also one that had failed too often',
  }),
  'Sealyard.SectorPause': method({
    permission: admin,
    params: [z.number()],
    result: nothing,
    slow: true,
    summary: 'Stops a sector where it is; what a worker has begun for it goes on',
  }),
  'Sealyard.SectorResume': method({
    permission: admin,
    params: [z.number()],
    result: nothing,
    slow: true,
    summary: 'Lets a paused sector go on',
  }),
  'Sealyard.ProveWindowPost': method({
    permission: admin,
    params: [z.array(z.number())],
    result: t.postReport,
    slow: true,
    summary: 'A real window PoSt over stored sectors, read through each node that sees them, and verified',
  }),
  'Sealyard.ReadPiece': method({
    permission: admin,
    params: [z.number(), z.number(), z.string()],
    result: z.object({ bytes: z.number(), from: z.string() }),
    slow: true,
    summary: "Writes a piece's data bytes (sector, piece index) to a file on the sealer's machine",
  }),
} as const
