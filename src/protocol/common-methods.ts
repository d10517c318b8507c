import { z } from 'zod'
import { list, method, nothing } from './method.ts'
import { fetchLimits, interruptedMove, nodeInfo, pathTier, quarantinedFile, transfer } from './types.ts'

/** What every node of ours answers. */
export const commonMethods = {
  'Filecoin.Discover': method({
    permission: 'read',
    params: [],
    result: z.unknown(),
    summary: 'The OpenRPC document of this node',
  }),
  'Filecoin.Session': method({
    permission: 'admin',
    params: [],
    result: z.string(),
    summary: 'UUID of this run of the process; an error when a worker is disabled',
  }),
  'Filecoin.Shutdown': method({
    permission: 'admin',
    params: [],
    result: nothing,
    summary: 'Stops the node after running work was told',
  }),
  'Filecoin.LogList': method({
    permission: 'write',
    params: [],
    result: list(z.string()),
    summary: 'Names of the log subsystems',
  }),
  'Filecoin.LogSetLevel': method({
    permission: 'write',
    params: [z.string(), z.string()],
    result: nothing,
    summary: 'Sets the level of one subsystem, or of all with *',
  }),
  'Sealyard.NodeInfo': method({
    permission: 'read',
    params: [],
    result: nodeInfo,
    summary: 'Who this node is: kind, machine, version',
  }),
} as const

/** What every node with storage paths answers. */
export const storageMethods = {
  'Filecoin.StorageLocal': method({
    permission: 'admin',
    params: [],
    result: z.record(z.string(), z.string()),
    summary: 'Attached storage paths: ID → directory',
  }),
  'Filecoin.StorageAddLocal': method({
    permission: 'admin',
    params: [z.string()],
    result: nothing,
    slow: true,
    summary: 'Attaches a directory that has a sectorstore.json',
  }),
  'Filecoin.StorageDetachLocal': method({
    permission: 'admin',
    params: [z.string()],
    result: nothing,
    slow: true,
    summary: 'Detaches a directory; its files stay',
  }),
  'Filecoin.StorageRedeclareLocal': method({
    permission: 'admin',
    params: [z.string().nullable(), z.boolean()],
    result: nothing,
    slow: true,
    summary: 'Declares what the disk holds anew; one path or all, dropping what is missing or not',
  }),
  'Sealyard.Quarantine': method({
    permission: 'read',
    params: [],
    result: list(quarantinedFile),
    summary: 'Files that another node had removed from a store path of this one, and that are kept there',
  }),
  'Sealyard.QuarantineRestore': method({
    permission: 'admin',
    params: [z.string()],
    result: z.string(),
    slow: true,
    summary: 'Puts one of them back, by its name; answers where it lies now',
  }),
  'Sealyard.QuarantineRemove': method({
    permission: 'admin',
    params: [z.string()],
    result: z.number(),
    slow: true,
    summary: 'Removes one of them for good, by its name; answers the bytes it took on the disk',
  }),
  'Sealyard.InterruptedMoves': method({
    permission: 'read',
    params: [],
    result: list(interruptedMove),
    summary: 'Moves that a stop interrupted: those that wait, and those that only an operator can judge',
  }),
  'Sealyard.SettleMove': method({
    permission: 'admin',
    params: [z.string()],
    result: nothing,
    summary: 'Forgets an interrupted move that an operator has looked at; no file is touched',
  }),
  'Sealyard.Transfers': method({
    permission: 'read',
    params: [],
    result: list(transfer),
    summary: 'Moves and fetches, running and the latest done, on this node, with progress',
  }),
  'Sealyard.FetchLimits': method({
    permission: 'read',
    params: [],
    result: fetchLimits,
    summary: 'How many files this node fetches at a time, and how fast',
  }),
  'Sealyard.SetFetchLimits': method({
    permission: 'admin',
    params: [fetchLimits],
    result: nothing,
    summary: 'Changes that until the node stops; running fetches follow',
  }),
  'Sealyard.StorageTiers': method({
    permission: 'read',
    params: [],
    result: list(pathTier),
    summary: 'What a move between each two storage paths of this node costs, as tried',
  }),
} as const
