/** Which daemon a setting belongs to. */
export type NodeKind = 'sealer' | 'worker'

/** TypeScript's face of each type of setting. Bytes are whole bytes, durations milliseconds. */
export interface SettingTypes {
  bool: boolean
  int: number
  bytes: number
  duration: number
  string: string
  strings: readonly string[]
}
export type SettingType = keyof SettingTypes

/** One row. Defaults are written as in `config.toml`: `'10s'`, `'32GiB'`. */
export interface Setting<T extends SettingType = SettingType> {
  readonly kind: NodeKind | 'both'
  readonly type: T
  /** One for both daemons, or one each. */
  readonly default: Written | { readonly sealer: Written; readonly worker: Written }
  /** For listings, where the type does not say it. */
  readonly unit?: string
  /** The only values that are allowed. */
  readonly choices?: readonly string[]
  /** Smallest value allowed; 0 when absent. */
  readonly least?: number
  /** `run` takes it as `--<flag>` too. */
  readonly flag?: string
  /** What it does, for `config show` and the generated file. */
  readonly text: string
}
type Written = boolean | number | string | readonly string[]

const setting = <const T extends SettingType>(row: Setting<T>): Setting<T> => row

/** A switch of what the sealer's own worker may do. */
const allow = (text: string) =>
  setting({ kind: 'sealer', type: 'bool', default: true, text: `the sealer itself may ${text}` })

/** A switch of what a worker does; named as the field's run flags. */
const does = (flag: string, text: string) =>
  setting({ kind: 'worker', type: 'bool', default: true, flag, text: `takes tasks of type ${text}` })

/** Every setting there is: sections and keys in the field's CamelCase, with the field's defaults where it has them. */
export const SETTINGS = {
  API: {
    ListenAddress: setting({
      kind: 'both',
      type: 'string',
      default: { sealer: '/ip4/127.0.0.1/tcp/2345/http', worker: '/ip4/127.0.0.1/tcp/3456/http' },
      flag: 'listen',
      text: 'address of the one public port, as multiaddr or host:port; port 0 takes a free one',
    }),
    RemoteListenAddress: setting({
      kind: 'both',
      type: 'string',
      default: '',
      text: 'host:port under which other nodes reach this one; empty: the listening address. A sealer that listens on 0.0.0.0 needs it',
    }),
    Timeout: setting({
      kind: 'both',
      type: 'duration',
      default: '1m',
      least: 1,
      text: 'how long a call to another node may take; calls that wait for work have no limit',
    }),
    ShutdownTimeout: setting({
      kind: 'both',
      type: 'duration',
      default: '20s',
      text: 'how long requests and transfers may go on after a stop was asked for',
    }),
    ParallelTransfers: setting({
      kind: 'both',
      type: 'int',
      default: 8,
      least: 1,
      unit: 'threads',
      text: 'sector files served at a time; more wait without costing anything',
    }),
    MaxConnections: setting({
      kind: 'both',
      type: 'int',
      default: 4096,
      least: 16,
      unit: 'connections',
      text: 'open connections before accepting pauses; fewer where the limit of open files does not suffice for three each',
    }),
    MaxConnectionsPerAddress: setting({
      kind: 'both',
      type: 'int',
      default: 512,
      least: 16,
      unit: 'connections',
      text: 'open connections of one address, more are closed as they come; behind a proxy as many as in all',
    }),
    MinTransferRate: setting({
      kind: 'both',
      type: 'int',
      default: 4096,
      least: 0,
      unit: 'bytes/s',
      text: 'who takes or sends less, over a whole Storage.ProgressTimeout of waiting for it, is cut off; 0: any rate',
    }),
    ServeEngine: setting({
      kind: 'both',
      type: 'string',
      default: 'auto',
      choices: ['auto', 'sendfile', 'direct', 'uncached', 'buffered'],
      text: 'how served sector files are read; auto: from the page cache what is in it (sendfile), the rest past it. What does not work here gives way to the next of direct, uncached, buffered',
    }),
  },
  Storage: {
    ParallelFetchLimit: setting({
      kind: 'both',
      type: 'int',
      default: { sealer: 10, worker: 5 },
      least: 1,
      flag: 'parallel-fetch-limit',
      unit: 'downloads',
      text: 'sector files fetched from other nodes at a time; `storage limits` changes it while running',
    }),
    FetchRate: setting({
      kind: 'both',
      type: 'bytes',
      default: 0,
      unit: 'bytes per second',
      text: 'what fetches may receive in all; 0: as much as comes. `storage limits` changes it while running',
    }),
    FetchRatePerPeer: setting({
      kind: 'both',
      type: 'bytes',
      default: 0,
      unit: 'bytes per second',
      text: 'the same from each other node',
    }),
    AllowAddPiece: allow('add pieces (AP)'),
    AllowPreCommit1: allow('run PC1'),
    AllowPreCommit2: allow('run PC2'),
    AllowCommit: allow('run C2'),
    AllowUnseal: allow('unseal (UNS)'),
    LocalWorkerName: setting({
      kind: 'sealer',
      type: 'string',
      default: '',
      text: "name of the sealer's own worker in listings; empty: the host name",
    }),
    DisallowRemoteFinalize: setting({
      kind: 'sealer',
      type: 'bool',
      default: false,
      text: 'finalize only on a worker that holds the files already',
    }),
    ResourceFiltering: setting({
      kind: 'sealer',
      type: 'string',
      default: 'hardware',
      choices: ['hardware', 'disabled'],
      text: "whether the sealer's own worker counts memory, processors and GPUs",
    }),
    Machine: setting({
      kind: 'both',
      type: 'string',
      default: '',
      text: 'name of this machine; nodes with the same one share its disks. Empty: a hash of /etc/machine-id',
    }),
    VerifyCopies: setting({
      kind: 'both',
      type: 'bool',
      default: true,
      text: 'read back and compare what was copied to another filesystem',
    }),
    CopyEngine: setting({
      kind: 'both',
      type: 'string',
      default: 'auto',
      choices: ['auto', 'direct', 'uncached', 'buffered'],
      text: 'how sector files are copied on this machine; auto: past the page cache, or through it where the file is in it already. Where another one does not work, buffered is used',
    }),
    CopyHash: setting({
      kind: 'both',
      type: 'string',
      default: 'blake3',
      choices: ['off', 'xxh3', 'blake3'],
      text: 'hash taken of what is copied on this machine, on a thread of its own',
    }),
    ProgressTimeout: setting({
      kind: 'both',
      type: 'duration',
      default: '1m',
      least: 1,
      text: 'a transfer without a byte for this long ends',
    }),
    HeartbeatInterval: setting({
      kind: 'both',
      type: 'duration',
      default: '10s',
      least: 1,
      text: "how often a path's space and health are told to the index",
    }),
    ReconcileInterval: setting({
      kind: 'both',
      type: 'duration',
      default: '10m',
      least: 1,
      text: 'how often what the disks hold is compared with the index, give or take a fifth',
    }),
  },
  Chain: {
    OfflineWait: setting({
      kind: 'sealer',
      type: 'duration',
      default: '500ms',
      text: 'how long each wait for the offline chain takes, in place of the minutes of a real one',
    }),
  },
  Space: {
    Floor: setting({
      kind: 'both',
      type: 'bytes',
      default: 0,
      text: 'bytes of each filesystem that are never handed out',
    }),
  },
  Sealing: {
    AlwaysKeepUnsealedCopy: setting({
      kind: 'sealer',
      type: 'bool',
      default: true,
      text: 'keep the unsealed copy when a sector is finalized',
    }),
    MinRetryTime: setting({
      kind: 'sealer',
      type: 'duration',
      default: '1m',
      text: 'a failed state waits this long before it is tried again',
    }),
    WorkersBackTime: setting({
      kind: 'sealer',
      type: 'duration',
      default: '20s',
      text: 'after a restart C2 is not deferred for this long: the worker that can run it may not be back yet',
    }),
  },
  Scheduler: {
    Policy: setting({
      kind: 'sealer',
      type: 'string',
      default: '',
      text: 'path of a module that exports accept or compare in place of the built-in ones; empty: none',
    }),
    SettleTime: setting({
      kind: 'sealer',
      type: 'duration',
      default: '3s',
      text: 'after a restart no work is given away for this long, so that workers are back before it is decided',
    }),
  },
  Proofs: {
    Executor: setting({
      kind: 'both',
      type: 'string',
      default: 'prover',
      choices: ['prover', 'shape'],
      text: 'prover seals for real; shape writes files of the right names and sizes, and seals nothing',
    }),
    ParameterCache: setting({
      kind: 'both',
      type: 'string',
      default: '',
      text: "directory of the proof parameters, only read; empty: FIL_PROOFS_PARAMETER_CACHE, then Sealyard's own cache",
    }),
  },
  Worker: {
    Name: setting({
      kind: 'worker',
      type: 'string',
      default: '',
      flag: 'name',
      text: 'name in listings; empty: the host name',
    }),
    AddPiece: does('addpiece', 'AP'),
    PreCommit1: does('precommit1', 'PC1'),
    PreCommit2: does('precommit2', 'PC2'),
    Commit: does('commit', 'C2'),
    Unseal: does('unseal', 'UNS'),
    NoDefault: setting({
      kind: 'worker',
      type: 'bool',
      default: false,
      flag: 'no-default',
      text: 'takes none of these tasks but those that are set explicitly: a worker that only stores and fetches',
    }),
    NoLocalStorage: setting({
      kind: 'worker',
      type: 'bool',
      default: false,
      flag: 'no-local-storage',
      text: 'makes no seal path in the repo at the first start',
    }),
    NoSwap: setting({
      kind: 'worker',
      type: 'bool',
      default: false,
      flag: 'no-swap',
      text: 'reports no swap, so that the scheduler counts on memory alone',
    }),
    HeartbeatInterval: setting({
      kind: 'worker',
      type: 'duration',
      default: '10s',
      least: 1,
      text: 'how often the worker asks whether its sealer still knows it',
    }),
  },
  Logging: {
    Level: setting({
      kind: 'both',
      type: 'string',
      default: 'info',
      choices: ['debug', 'info', 'warn', 'error'],
      flag: 'log-level',
      text: 'what is logged of every subsystem that has no level of its own',
    }),
    Format: setting({
      kind: 'both',
      type: 'string',
      default: 'json',
      choices: ['json', 'text'],
      flag: 'log-format',
      text: "json: one object per line; text: lotus' console line",
    }),
    SubsystemLevels: setting({
      kind: 'both',
      type: 'strings',
      default: [],
      text: 'levels by subsystem, each as name=level: ["stores=debug"]',
    }),
  },
} as const

export type SettingsTable = typeof SETTINGS
/** All values, by section and key. */
export type Settings = {
  readonly [S in keyof SettingsTable]: {
    readonly [K in keyof SettingsTable[S]]: SettingsTable[S][K] extends Setting<infer T>
      ? SettingTypes[T]
      : never
  }
}

/** The table as a flat list, in its own order. */
export function settingRows(kind: NodeKind): { section: string; key: string; setting: Setting }[] {
  return Object.entries(SETTINGS).flatMap(([section, rows]) =>
    Object.entries(rows as Record<string, Setting>)
      .filter(([, row]) => row.kind === 'both' || row.kind === kind)
      .map(([key, row]) => ({ section, key, setting: row })),
  )
}

/** `SEALYARD_STORAGE_PARALLELFETCHLIMIT`, built as the field builds its own. */
export function settingVariable(section: string, key: string): string {
  return `SEALYARD_${section}_${key}`.toUpperCase()
}

/** The default of a row for one daemon, as it is written. */
export function writtenDefault(setting: Setting, kind: NodeKind): Written {
  const given = setting.default
  return typeof given === 'object' && 'sealer' in given ? given[kind] : given
}
