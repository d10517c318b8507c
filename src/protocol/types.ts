import { z } from 'zod'
import { list } from './method.ts'

// The field's JSON shapes, key for key. Unknown keys are ignored: newer nodes send more.

const whole = z.number().int()
const bytes = z.number().int()

export const sectorId = z.object({ Miner: whole, Number: whole })
export const sectorRef = z.object({ ID: sectorId, ProofType: whole })
export const cid = z.object({ '/': z.string() })
export type Cid = z.output<typeof cid>

/** Go's []byte: base64. */
export const base64 = z.string()

export const pieceInfo = z.object({ Size: bytes, PieceCID: cid })
export type PieceInfo = z.output<typeof pieceInfo>

export const sectorCids = z.object({ Unsealed: cid, Sealed: cid })
export type SectorCids = z.output<typeof sectorCids>

/** A reader as a parameter: zeroes (`null`), a side stream (`push`) or a URL (`http`). Info: length, uuid or URL. */
export const readerParameter = z.object({ Type: z.enum(['null', 'push', 'http']), Info: z.string() })
export type ReaderParameter = z.output<typeof readerParameter>

export const callId = z.object({ Sector: sectorId, ID: z.string() })
export type CallId = z.output<typeof callId>

/**
 * Codes: 0 unknown, 100 temporary, 101 worker restarted, 102 no space. `Sealyard` is ours, a stranger ignores it: the
 * worker's own code, where the sealer can do better than try the same again.
 */
export const callError = z
  .object({ Code: whole, Message: z.string(), Sealyard: z.object({ code: z.string() }).optional() })
  .nullable()
export type CallError = z.output<typeof callError>
export const CALL_ERROR = { unknown: 0, temporary: 100, workerRestarted: 101, noSpace: 102 } as const

export const fsStat = z.object({
  Capacity: bytes,
  Available: bytes,
  FSAvailable: bytes,
  Reserved: bytes,
  Max: bytes.default(0),
  Used: bytes.default(0),
})
export type FsStat = z.output<typeof fsStat>

export const storageInfo = z.object({
  ID: z.string(),
  URLs: list(z.string()),
  Weight: whole,
  MaxStorage: bytes.default(0),
  CanSeal: z.boolean(),
  CanStore: z.boolean(),
  Groups: list(z.string()),
  AllowTo: list(z.string()),
  AllowTypes: list(z.string()),
  DenyTypes: list(z.string()),
  AllowMiners: list(z.string()),
  DenyMiners: list(z.string()),
})
export type StorageInfo = z.output<typeof storageInfo>

export const sectorStorageInfo = z.object({
  ID: z.string(),
  URLs: list(z.string()),
  BaseURLs: list(z.string()),
  Weight: whole,
  CanSeal: z.boolean(),
  CanStore: z.boolean(),
  Primary: z.boolean(),
  AllowTypes: list(z.string()),
  DenyTypes: list(z.string()),
  AllowMiners: list(z.string()),
  DenyMiners: list(z.string()),
})
export type SectorStorageInfo = z.output<typeof sectorStorageInfo>

export const healthReport = z.object({ Stat: fsStat, Err: z.string().default('') })
export type HealthReport = z.output<typeof healthReport>

/** One row of StorageList: a sector and the or-ed types a path holds of it. */
export const declaration = z.object({ Miner: whole, Number: whole, SectorFileType: whole })
export type Declaration = z.output<typeof declaration>

export const sectorLock = z.object({ Sector: sectorId, Write: z.array(whole), Read: z.array(whole) })
export const sectorLocks = z.object({ Locks: list(sectorLock) })
export type SectorLocks = z.output<typeof sectorLocks>

export const storagePath = z.object({
  ID: z.string(),
  Weight: whole,
  LocalPath: z.string(),
  CanSeal: z.boolean(),
  CanStore: z.boolean(),
})
/** A path as a worker lists it (`Filecoin.Paths`). */
export type WorkerPath = z.output<typeof storagePath>

export const taskResources = z.object({
  MinMemory: bytes,
  MaxMemory: bytes,
  GPUUtilization: z.number(),
  MaxParallelism: whole,
  MaxParallelismGPU: whole,
  BaseMinMemory: bytes,
  MaxConcurrent: whole,
})
export type TaskResources = z.output<typeof taskResources>

export const workerResources = z.object({
  MemPhysical: bytes,
  MemUsed: bytes,
  MemSwap: bytes,
  MemSwapUsed: bytes,
  CPUs: whole,
  GPUs: list(z.string()),
  /** task type → proof type (as a string) → needs */
  Resources: z.record(z.string(), z.record(z.string(), taskResources)).nullable().default({}),
})
export const workerInfo = z.object({
  Hostname: z.string(),
  IgnoreResources: z.boolean(),
  Resources: workerResources,
})
export type WorkerInfo = z.output<typeof workerInfo>

export const workerStats = z.object({
  Info: workerInfo,
  Tasks: list(z.string()),
  Enabled: z.boolean(),
  MemUsedMin: bytes,
  MemUsedMax: bytes,
  GpuUsed: z.number(),
  CpuUse: whole,
  TaskCounts: z.record(z.string(), whole).nullable(),
})
export type WorkerStats = z.output<typeof workerStats>

/** RunWait: ≥2 assigned, 1 prepared, 0 running, −1 ret-wait, −2 returned, −3 ret-done. */
export const workerJob = z.object({
  ID: callId,
  Sector: sectorId,
  Task: z.string(),
  RunWait: whole,
  Start: z.string(),
  Hostname: z.string().default(''),
})
export type WorkerJob = z.output<typeof workerJob>

export const schedDiag = z.object({
  SchedInfo: z.object({
    Requests: list(
      z.object({
        Sector: sectorId,
        TaskType: z.string(),
        Priority: whole,
        SchedId: z.string(),
        /** Why no window took it in the latest round it was explained in; lotus has no such key. */
        Sealyard: z.object({ waits: z.array(z.string()) }).optional(),
      }),
    ),
    OpenWindows: list(z.string()),
  }),
  ReturnedWork: list(z.string()),
  Waiting: list(z.string()),
  CallToWork: z.record(z.string(), z.string()),
  EarlyRet: list(z.string()),
})
export type SchedDiag = z.output<typeof schedDiag>

/** `Filecoin.Version` of a sealer; 66816 is miner API 1.5.0, what lotus workers demand. */
export const minerVersion = z.object({
  Version: z.string(),
  APIVersion: whole,
  BlockDelay: whole.default(30),
})
export const MINER_API_VERSION = 66816
/** Worker API 1.7.0, since lotus v1.23. */
export const WORKER_API_VERSION = 67328

/** 66816 → 1.5.0 */
export function apiVersionWords(version: number): string {
  return `${version >> 16}.${(version >> 8) & 255}.${version & 255}`
}

const sectorExtras = z.object({
  Miner: whole,
  /** True when tickets, seeds and messages were made up locally. */
  offline: z.boolean(),
  /** Words for what C2 waits for, or null. */
  commit2: z.string().nullable(),
  /** Where the kept output of C1 lies, or null. */
  commit2Input: z.string().nullable(),
  pieces: list(z.object({ size: bytes, dataBytes: bytes, commitment: z.string() })),
  keepUnsealed: z.boolean(),
  /** Why nothing is done with it until somebody says so, or null. */
  paused: z.string().nullable().default(null),
  /** Of each entry of Log, milliseconds since 1970: the field's key has whole seconds. */
  logTimes: z.array(whole).default([]),
})

/** What a sector's listing carries; keys that lotus lacks stand below `Sealyard`. */
export const sectorStatus = z.object({
  SectorID: whole,
  State: z.string(),
  CommD: cid.nullable(),
  CommR: cid.nullable(),
  Ticket: z.object({ Value: base64.nullable(), Epoch: whole }),
  Seed: z.object({ Value: base64.nullable(), Epoch: whole }),
  PreCommitMsg: cid.nullable(),
  CommitMsg: cid.nullable(),
  Proof: base64.nullable(),
  Retries: whole,
  LastErr: z.string(),
  SealProof: whole,
  Log: list(z.object({ Kind: z.string(), Timestamp: whole, Trace: z.string(), Message: z.string() })),
  Sealyard: sectorExtras.optional(),
})
export type SectorStatus = z.output<typeof sectorStatus>

/** One sector of many: its status without proof and log, which have kilobytes each, but with what the log comes to. */
export const sectorLine = sectorStatus.omit({ Proof: true, Log: true, Sealyard: true }).extend({
  /** Entries of its log. */
  Events: whole,
  /** Milliseconds since 1970, of the first entry; null without one. */
  FirstEventAt: whole.nullable(),
  /** The same of the entry that first made it Proving. */
  ProvingAt: whole.nullable(),
  Sealyard: sectorExtras.omit({ logTimes: true }).optional(),
})
export type SectorLine = z.output<typeof sectorLine>

// Extras of Sealyard's own nodes.

/** Who is on the other end; asked once per session, −32601 means a lotus or venus node. */
export const nodeInfo = z.object({
  kind: z.enum(['sealer', 'worker']),
  name: z.string(),
  version: z.string(),
  session: z.string(),
  /** Hash of /etc/machine-id (or the override): same value, same machine. */
  machine: z.string(),
  url: z.string(),
  executor: z.string(),
})
export type NodeInfo = z.output<typeof nodeInfo>

const copyEngine = z.enum(['direct', 'uncached', 'buffered'])

/** How this node copies sector files from one of its disks to another. */
export const copyEngines = z.object({
  /** What the operator chose: one engine, or `auto` for what suits each file. */
  chosen: z.enum(['auto', ...copyEngine.options]),
  /** What works on each path. */
  paths: list(z.object({ id: z.string(), engines: list(copyEngine) })),
})
export type CopyEngines = z.output<typeof copyEngines>

/** One filesystem as its host sees it now. */
export const filesystemView = z.object({
  pathId: z.string(),
  machine: z.string(),
  /** Stable id of the filesystem on that machine. */
  filesystem: z.string(),
  capacityBytes: bytes,
  availableBytes: bytes,
  /** Quota of the path and what it uses of it; 0 = none. */
  maxBytes: bytes,
  usedBytes: bytes,
})
export type FilesystemView = z.output<typeof filesystemView>

export const spaceRequest = z.object({
  /** Node (NodeInfo.session-independent name: machine + repo) that asks. */
  owner: z.string(),
  /** Why, for listings: a task code. */
  task: z.string(),
  sector: sectorId,
  entries: z.array(
    z.object({
      id: z.string(),
      fileType: whole,
      pathId: z.string(),
      /** Exact peak size. */
      neededBytes: bytes,
      /** The field's number, shown as Reserved. */
      reportedBytes: bytes,
      /** Already on disk below the final or the temporary name. */
      onDiskBytes: bytes,
    }),
  ),
  filesystems: z.array(filesystemView),
})
export type SpaceRequest = z.output<typeof spaceRequest>

export const spaceAnswer = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('granted') }),
  z.object({ outcome: z.literal('refused'), pathId: z.string(), wantedBytes: bytes, availableBytes: bytes }),
])
export type SpaceAnswer = z.output<typeof spaceAnswer>

export const reservation = z.object({
  id: z.string(),
  owner: z.string(),
  task: z.string(),
  sector: sectorId,
  fileType: whole,
  pathId: z.string(),
  neededBytes: bytes,
  reportedBytes: bytes,
  onDiskBytes: bytes,
})
export type Reservation = z.output<typeof reservation>

/** What another node had removed from a store path of this one, and is kept there. */
export const quarantinedFile = z.object({
  /** Of the sector, and of the removal. */
  name: z.string(),
  sector: sectorId,
  fileType: whole,
  pathId: z.string(),
  /** Where it lies. */
  file: z.string(),
  /** What it takes on its disk. */
  bytes,
  since: z.string(),
})
export type QuarantinedFile = z.output<typeof quarantinedFile>

/** A move that a stop interrupted and that was not ended yet. */
export const interruptedMove = z.object({
  op: z.string(),
  from: z.string(),
  to: z.string(),
  /** `waiting` ends by itself when its paths and the index are there; `uncertain` is left to an operator. */
  state: z.enum(['waiting', 'uncertain']),
  reason: z.string(),
})
export type InterruptedMove = z.output<typeof interruptedMove>

export const TIERS = ['in-place', 'rename', 'clone', 'copy', 'network'] as const
/** What it takes to bring a file from one storage path to another, cheapest first. */
export const tier = z.enum(TIERS)
export type Tier = z.output<typeof tier>

/** A transfer that runs or ran on a node. */
export const transfer = z.object({
  id: z.string(),
  sector: sectorId,
  fileType: whole,
  from: z.string(),
  to: z.string(),
  method: tier,
  bytes: bytes,
  totalBytes: bytes,
  state: z.enum(['running', 'done', 'failed']),
  startedAt: z.string(),
  seconds: z.number(),
  error: z.string().nullable(),
})
export type Transfer = z.output<typeof transfer>

/** What a node's downloads keep to. */
export const fetchLimits = z.object({
  /** At a time; at least 1. */
  fetches: whole,
  /** Received in all, and from each other node; 0: no limit. */
  bytesPerSecond: bytes,
  bytesPerSecondPerPeer: bytes,
})
export type FetchLimitsNow = z.output<typeof fetchLimits>

/** Tiers between a worker's storage paths, as tried. */
export const pathTier = z.object({ from: z.string(), to: z.string(), tier })
export type PathTier = z.output<typeof pathTier>

/** One window of one scheduling decision, with its reason and its cost. */
export const decidedWindow = z.object({
  window: whole,
  worker: z.string(),
  hostname: z.string(),
  accepted: z.boolean(),
  reason: z.string(),
  networkBytes: bytes,
  copiedBytes: bytes,
  secondsUntilFree: z.number(),
})
export const decision = z.object({
  at: z.string(),
  request: z.string(),
  sector: sectorId,
  task: z.string(),
  windows: z.array(decidedWindow),
  chosen: whole.nullable(),
})
export type Decision = z.output<typeof decision>

export const postReading = z.object({
  sector: whole,
  url: z.string(),
  pathId: z.string(),
  milliseconds: z.number(),
})
export const postReport = z.object({
  valid: z.boolean(),
  proofBytes: whole,
  offline: z.boolean(),
  readings: z.array(postReading),
  seconds: z.number(),
})
export type PostReport = z.output<typeof postReport>
