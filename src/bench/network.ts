import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { benchError } from './errors.ts'
import { describeMachine } from './machine.ts'
import { needProgram, run } from './programs.ts'

export const NETWORKS = ['loopback', 'veth'] as const
export type NetworkName = (typeof NETWORKS)[number]

/** Where servers and receivers run, and what lies between them. */
export interface Network {
  readonly name: NetworkName
  /** Address that servers listen on. */
  readonly host: string
  /** What starts a program on the servers' side, and on the receivers'; empty: nothing special. */
  readonly serverSide: readonly string[]
  readonly clientSide: readonly string[]
  /** The same for all servers. */
  readonly congestionControl: string
  close(): Promise<void>
}

/** 198.18.0.0/15 is set aside for measuring; in namespaces of their own the addresses meet nobody. */
const SERVER = '198.18.0.1'
const CLIENT = '198.18.0.2'

/**
 * Loopback as it is, with the system's congestion control; or a pair of network namespaces with a veth pair between
 * them, made here and removed by `close`.
 * @param congestionControl null: the system's
 * @throws BenchError USAGE, NO_PEER, PEER_FAILED
 */
export async function openNetwork(
  name: NetworkName,
  congestionControl: string | null,
  signal: AbortSignal,
): Promise<Network> {
  if (name === 'veth') return openVeth(congestionControl ?? describeMachine().congestionControl, signal)
  if (congestionControl !== null) {
    throw benchError(
      'USAGE',
      "on loopback the system's congestion control is used; take --network veth to choose one",
    )
  }
  return {
    name,
    host: '127.0.0.1',
    serverSide: [],
    clientSide: [],
    congestionControl: describeMachine().congestionControl,
    close: async () => undefined,
  }
}

async function openVeth(congestionControl: string, signal: AbortSignal): Promise<Network> {
  if (process.getuid?.() !== 0) {
    throw benchError('USAGE', '--network veth makes network namespaces, which only root may; take loopback')
  }
  const ip = needProgram('ip', 'it is part of iproute2')
  const [servers, clients] = [`sealyard-bench-${process.pid}-s`, `sealyard-bench-${process.pid}-c`]
  // Removed with a signal of their own: this one may have been the reason to stop. The veth pair goes with them.
  const close = async () => {
    for (const each of [servers, clients].filter(isThere)) {
      await run(ip, ['netns', 'del', each], new AbortController().signal)
    }
  }
  try {
    for (const each of [servers, clients]) await run(ip, ['netns', 'add', each], signal)
    const pair = ['veth0', 'netns', servers, 'type', 'veth', 'peer', 'name', 'veth0', 'netns', clients]
    await run(ip, ['link', 'add', ...pair], signal)
    await configure(ip, servers, SERVER, congestionControl, signal)
    await configure(ip, clients, CLIENT, congestionControl, signal)
  } catch (cause) {
    await close()
    throw cause
  }
  return {
    name: 'veth',
    host: SERVER,
    serverSide: [ip, 'netns', 'exec', servers],
    clientSide: [ip, 'netns', 'exec', clients],
    congestionControl,
    close,
  }
}

/** An interrupted `ip netns add` may have made it all the same. */
function isThere(namespace: string): boolean {
  return existsSync(join('/run/netns', namespace))
}

/**
 * The route pins the congestion control: a namespace's sysctl takes only what the machine allows to everybody, and a
 * program could be started before it.
 */
async function configure(
  ip: string,
  namespace: string,
  address: string,
  congestionControl: string,
  signal: AbortSignal,
): Promise<void> {
  const inside = (...args: string[]) => run(ip, ['-n', namespace, ...args], signal)
  await inside('link', 'set', 'lo', 'up')
  await inside('address', 'add', `${address}/30`, 'dev', 'veth0')
  await inside('link', 'set', 'veth0', 'up')
  const route = ['198.18.0.0/30', 'dev', 'veth0', 'proto', 'kernel', 'scope', 'link', 'src', address]
  await inside('route', 'replace', ...route, 'congctl', 'lock', congestionControl)
}
