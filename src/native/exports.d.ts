// Generated from native/ by `npm run build:dts`; edit the Rust, then run that.

/** One download of a sector file or cache directory. */
export declare class Fetch {
  /** Prepares it; nothing happens before `run`. */
  constructor(order: FetchOrder, limits: FetchLimits)
  /** Downloads on a thread of its own; only the first call does. */
  run(): Promise<FetchOutcome>
  /** Bytes so far. */
  progress(): FetchProgress
  /** Ends it soon, as cancelled; nothing of it is kept. */
  cancel(): void
  /** Ends it soon, as interrupted; what the next one can go on from is kept. */
  interrupt(): void
  /** Receives nothing until `proceed`. */
  pause(): void
  /** Goes on after a pause. */
  proceed(): void
}

/** Bytes per second that the fetches which share it may receive. */
export declare class FetchLimits {
  /** Without any limit. */
  constructor()
  /** Sets both limits; running fetches follow at once. */
  set(rates: FetchRates): void
}

/** The one public port of a node. */
export declare class FrontDoor {
  /** Prepares a door; nothing listens yet. */
  constructor(options: FrontDoorSettings, onEvent: (arg: FrontDoorNotice) => void, onTokenQuestion: (arg: FrontDoorTokenQuestion) => void)
  /** Takes the port and starts serving. Throws with `code` EADDRINUSE, EACCES, EADDRNOTAVAIL, … */
  start(): FrontDoorListening
  /** Answers a token question; the answer is remembered for `ttlMs`. `scopes` are those of a scoped one. */
  verdict(ticket: number, verdict: 'allowed' | 'scoped' | 'forbidden' | 'denied' | 'unavailable', ttlMs: number, scopes: Array<string>): void
  /** Lets `/remote/<type>/<name>` serve `path`. */
  publish(pathId: string, fileType: string, name: string, path: string): void
  /** False when that was not published. */
  unpublish(pathId: string, fileType: string, name: string): boolean
  /** The client behind a tunnel's loopback source address. */
  peerOf(address: string): string | null
  /** Takes over a sector-file request that came through a tunnel; false when it cannot. */
  handBack(address: string, head: Uint8Array): boolean
  /** Announces a push. Throws when `uuid` is none, or is expected already. */
  expectUpload(uuid: string, path: string, limitBytes: number): FrontDoorUpload
  /** The counters now. */
  stats(): FrontDoorCounters
  /** Stops accepting, lets what runs finish, cuts it after `deadlineMs`. */
  close(deadlineMs: number): Promise<void>
}

/** A push that is expected or arriving. */
export declare class FrontDoorUpload {
  /** What became of it; call it once. */
  settled(): Promise<FrontDoorUploadOutcome>
}

/** Moves sector files with one journal. */
export declare class Mover {
  /** @param copyEngine `auto`, `direct`, `uncached` or `buffered` */
  constructor(journalPath: string, copyEngine: string)
  /** Opens or creates the journal and locks it. */
  open(): Promise<Nothing | NativeFailure>
  /** Gives the journal back when what runs has ended. */
  close(): void
  recover(): Promise<Array<Recovered> | NativeFailure>
  /** Prepares a transfer; nothing moves before `run()`. */
  transfer(request: TransferRequest): Transfer
  removeSource(op: string): Promise<Nothing | NativeFailure>
  done(op: string): Promise<Nothing | NativeFailure>
  remove(root: string, name: string): Promise<Removed | NativeFailure>
  leftovers(root: string): Promise<Array<Leftover> | NativeFailure>
  discard(root: string, name: string): Promise<Nothing | NativeFailure>
}

/** One move; made by `Mover.transfer`. */
export declare class Transfer {
  /** Settles when the target is durable. */
  run(): Promise<Durable | NativeFailure>
  progress(): Progress
  cancel(): void
  removeSource(): Promise<Nothing | NativeFailure>
  done(): Promise<Nothing | NativeFailure>
}

export interface Allocation {
  /** True if every byte of the range is. */
  all: boolean
}

/** Bytes that a file or tree takes on its disk. */
export declare function diskUsage(path: string): Promise<DiskUsage | NativeFailure>

export interface DiskUsage {
  /** Null if nothing is there. */
  bytes: number | null
}

/** A target that is complete, verified and durable. */
export interface Durable {
  /** `in-place`, `rename`, `clone` or `copy` */
  method: string
  bytes: number
  allocatedBytes: number
  /** `direct`, `uncached` or `buffered`; null where nothing was copied. */
  engine: string | null
  /** Read by us; holes are not. */
  copiedBytes: number
  /** Fewer where zeros became holes. */
  writtenBytes: number
  /** Read again from the target's disk. */
  readBackBytes: number
  hashes: Array<FileHash>
  seconds: number
  files: number
  sourceGone: boolean
}

/** One file that was written. */
export interface FetchedFile {
  /** Name in the directory; empty for a single file. */
  name: string
  /** Length in bytes. */
  size: number
}

/** What to fetch, and where to. */
export interface FetchOrder {
  /** `http://host:port/remote/<type>/<name>`. */
  url: string
  /** Sent to that host and port only. */
  token: string | null
  /** Absolute path of the private file or directory to make; without a record it must not exist. */
  target: string
  /**
   * Name beside the target under which is kept how far it is. With one, a fetch that fails leaves what the next
   * one from the same URL goes on from. After one that succeeded, it is the caller's to remove.
   */
  record: string | null
  /** What to expect. */
  kind: 'file' | 'directory'
  /** Length that a single file must have. */
  expectedBytes: number | null
  /** BLAKE3 hash that a single file must have, hexadecimal. */
  expectedHash: string | null
  /** No byte for this long ends the fetch. */
  progressTimeoutMs: number
}

/** How a fetch ended. */
export type FetchOutcome =
  | { outcome: 'fetched'; /** Sum of the files' lengths. */
    bytes: number; /** Those of them that an earlier fetch had brought. */
    bytesResumed: number; /** What was written. */
    files: Array<FetchedFile>; /** Time taken. */
    seconds: number; /** The server's validator. */
  etag: string | null }
  | { outcome: 'failed'; /** What went wrong. */
    code: 'not-here' | 'unauthorized' | 'incomplete' | 'network' | 'refused-name' | 'timeout' | 'io' | 'damaged' | 'cancelled' | 'interrupted'; /** In words. */
    detail: string; /** HTTP status, when there was an answer. */
    status: number | null; /** The kernel's error number. */
    errno: number | null; /** What could not be written, or was refused. */
    path: string | null; /** Bytes that were here when it happened. */
    bytesDone: number; /** Bytes that stay, durable, for the next fetch from the same URL. */
  bytesKept: number }

/** How far a fetch is. */
export interface FetchProgress {
  /** Bytes that are here, those of an earlier fetch included. */
  doneBytes: number
  /** Length of the body, once known. */
  totalBytes: number | null
  /** Time in which we did not want to receive: paused, or at a limit. */
  heldBackMs: number
}

/** How much may be received. */
export interface FetchRates {
  /** In all; null: as much as comes. */
  bytesPerSecond: number | null
  /** From each peer; null: as much as comes. */
  bytesPerSecondPerPeer: number | null
}

/** The hash of a file that was copied. */
export interface FileHash {
  /** In a directory; empty for a sector file that is one file. */
  name: string
  bytes: number
  /** `blake3:…` or `xxh3:…` */
  hash: string
}

/** statvfs of the file system below a directory. */
export declare function filesystemOf(path: string): Promise<FilesystemState | NativeFailure>

/** What a file system says of itself now. */
export interface FilesystemState {
  capacityBytes: number
  availableBytes: number
  totalInodes: number
  freeInodes: number
  /** Same string = same free space. */
  filesystem: string
  type: string
  mountId: number
}

/** Counters at one instant. */
export interface FrontDoorCounters {
  /** Open connections. */
  connections: number
  /** Open tunnels. */
  tunnels: number
  /** Downloads under way, stalled ones included. */
  transfers: number
  /** Uploads under way. */
  uploads: number
  /** Connections accepted since start. */
  acceptedConnections: number
  /** Body bytes served since start, for each file type. */
  servedBytes: Array<FrontDoorServed>
  /** Upload bytes taken in since start. */
  receivedBytes: number
  /** Transfers that ended with a destroyed connection. */
  brokenTransfers: number
}

/** Where the door listens. */
export interface FrontDoorListening {
  /** The port taken. */
  port: number
}

/** One line for the log. */
export interface FrontDoorNotice {
  /** `debug`, `info`, `warn` or `error`. */
  level: 'debug' | 'info' | 'warn' | 'error'
  /** A fixed word. */
  event: string
  /** Who was on the other end, `10.0.0.5:51234`. */
  peer: string | null
  /** The file or directory concerned. */
  path: string | null
  /** The kernel's error number. */
  errno: number | null
  /** A sentence. */
  detail: string
}

/** Body bytes served of one file type. */
export interface FrontDoorServed {
  /** The type as in the URL. */
  type: 'unsealed' | 'sealed' | 'cache' | 'update' | 'update-cache' | 'piece'
  /** Bytes since start. */
  bytes: number
}

/** How the door is set up. Durations are milliseconds. */
export interface FrontDoorSettings {
  /** Address to listen on. */
  host: string
  /** 0 takes a free one. */
  port: number
  /** Loopback port everything else is tunnelled to. */
  upstreamPort: number
  /** Threads that move bulk data. */
  maxTransfers: number
  /** Open connections before accepting pauses. */
  maxConnections: number
  /** Open connections of one address; more are closed as they come. */
  maxConnectionsPerAddress: number
  /** A request head must be complete after this long. */
  headTimeoutMs: number
  /** A kept-alive connection without a request is closed after this long. */
  idleTimeoutMs: number
  /** A transfer without a byte moved for this long is cut. */
  progressTimeoutMs: number
  /** Bytes a second that a client must take or send, on average over each such time; 0 for any. */
  minRateBytes: number
  /** How long a caller waits for the verdict about its token. */
  verdictTimeoutMs: number
  /** How long a push and whoever expects it wait for each other. */
  uploadWaitMs: number
  /** How sector files are read. */
  serveEngine: 'auto' | 'sendfile' | 'direct' | 'uncached' | 'buffered'
}

/** Asks whether a token is good; answered by `verdict` with the same ticket. */
export interface FrontDoorTokenQuestion {
  /** Goes back with the answer. */
  ticket: number
  /** The token. */
  token: string
}

/** What became of a push. */
export type FrontDoorUploadOutcome =
  | { outcome: 'received'; /** Its length. */
  bytes: number }
  | { outcome: 'failed'; /** What went wrong. */
    code: 'incomplete' | 'too-large' | 'timeout' | 'cancelled' | 'malformed' | 'io' | 'closed'; /** In words. */
    detail: string; /** The kernel's error number. */
    errno: number | null; /** The target file. */
    path: string; /** Bytes that had been written. */
  bytesDone: number }

/** What this kernel and this user may do. */
export declare function kernelAbilities(): KernelAbilities

/** What this kernel and this user may do. */
export interface KernelAbilities {
  ioUring: boolean
  cachestat: boolean
  root: boolean
  kernel: string
}

/** Something under a `fetching/` directory. */
export interface Leftover {
  name: string
  /** On the disk. */
  bytes: number
  modifiedMs: number
  owned: boolean
}

/** What was not done, as a value: see `NativeErrorCode` for the words. */
export interface NativeFailure {
  /** Always true: tells a failure from a result. */
  failed: boolean
  code: string
  /** The kernel's number, null where the kernel was not the one that refused. */
  errno: number | null
  syscall: string | null
  path: string | null
  bytesDone: number
  /** One line for an operator. */
  message: string
}

/** Done, with nothing to tell. */
export interface Nothing {
  ok: boolean
}

/** A storage path and a name such as `sealed/s-t01000-7` below it. */
export interface Place {
  root: string
  name: string
}

/** The ways to copy that work on a storage path, found by trying: of `direct`, `uncached`, `buffered`. */
export declare function probeCopyEngines(root: string): Promise<Array<string> | NativeFailure>

/** The cheapest method between two storage paths, found by trying. */
export declare function probeTier(sourceRoot: string, targetRoot: string): Promise<Tier | NativeFailure>

/** Bytes at the target, and how many there will be; 0 until it was measured. */
export interface Progress {
  bytes: number
  total: number
}

/** A move that a stop interrupted. */
export interface Recovered {
  op: string
  tag: string
  source: Place
  target: Place
  keepSource: boolean
  /** `discarded`, `target-durable`, `source-removed` or `alarm` */
  state: string
  /** Why there is an alarm. */
  reason: string | null
}

export interface Removed {
  removed: boolean
  allocatedBytes: number
}

/** Null if all of `wanted` fit at once. */
export declare function spaceAdmit(snapshot: SpaceSnapshot, wanted: Array<SpaceEntry>): SpaceRefusal | null

export interface SpaceEntry {
  id: string
  path: string
  bytes: number
  onDiskBytes: number
}

export interface SpaceFilesystem {
  id: string
  availableBytes: number
  floorBytes: number
}

export interface SpacePath {
  id: string
  filesystem: string
  maxBytes: number | null
  usedBytes: number
}

/** The entry that did not fit, and why. */
export interface SpaceRefusal {
  id: string
  path: string
  filesystem: string
  wantedBytes: number
  availableBytes: number
  limitedByMax: boolean
}

export interface SpaceSnapshot {
  filesystems: Array<SpaceFilesystem>
  paths: Array<SpacePath>
  held: Array<SpaceEntry>
}

/** The cheapest method between two storage paths. */
export interface Tier {
  /** `in-place`, `rename`, `clone` or `copy` */
  tier: string
}

/** What is to be moved, and how. */
export interface TransferRequest {
  /** Unique for ever. */
  op: string
  source: Place
  target: Place
  keepSource: boolean
  verify: boolean
  tag: string
  /** `rename`, `clone` or `copy`: only that. Null: the cheapest that works. */
  only: string | null
  /** `off`, `xxh3` or `blake3` */
  hash: string
  skipZeros: boolean
}

/** Whether a range of an unsealed file is allocated, by its trailer. All numbers are padded bytes. */
export declare function unsealedAllocated(path: string, sectorSize: number, offset: number, size: number): Promise<Allocation | NativeFailure>
