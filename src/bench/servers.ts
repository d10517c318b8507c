import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startEntry } from './child-entry.ts'
import { benchError } from './errors.ts'
import { findProgram, needProgram } from './programs.ts'

export const SERVE_PEERS = ['nginx', 'node'] as const
export type ServePeerName = (typeof SERVE_PEERS)[number]

/** What is served, and where a server may keep its own files. */
export interface ServedFile {
  readonly scratch: string
  readonly file: string
  /** Its address on the server. */
  readonly path: string
  readonly token: string
  readonly signal: AbortSignal
}

/** A server that runs on loopback, in a process of its own. */
export interface TestServer {
  readonly label: string
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
}

export function startDoor(served: ServedFile): Promise<TestServer> {
  return startOwn('sealyard front door', 'door-process', served)
}

/** @throws BenchError NO_PEER */
export function startPeer(name: ServePeerName | 'auto', served: ServedFile): Promise<TestServer> {
  const useNginx = name === 'nginx' || (name === 'auto' && findProgram('nginx') !== null)
  return useNginx
    ? startNginx(served)
    : startOwn('Node http, createReadStream().pipe()', 'node-process', served)
}

async function startOwn(
  label: string,
  entry: string,
  { signal, file, path, token }: ServedFile,
): Promise<TestServer> {
  const child = await startEntry(entry, { file, path, token }, signal)
  return { label, port: Number(child.answer), pid: child.pid, stop: () => child.stop() }
}

async function startNginx({ scratch, signal }: ServedFile): Promise<TestServer> {
  const nginx = needProgram('nginx', 'install it, or take --peer node')
  const port = await freePort()
  await writeFile(join(scratch, 'nginx.conf'), nginxConfiguration(port))
  // Paths in the configuration are relative to -p, whatever letters the directory has.
  const child = spawn(nginx, ['-p', scratch, '-c', 'nginx.conf', '-e', 'nginx-error.log'], {
    stdio: 'ignore',
  })
  let status: string | null = null
  const ended = new Promise<void>((resolve) => {
    const end = (how: string) => {
      status = how
      resolve()
    }
    child.once('exit', (code) => end(`ended with status ${code}`))
    child.once('error', (error) => end(error.message))
  })
  const stop = async () => {
    child.kill()
    await ended
  }
  const until = performance.now() + 5000
  while (!(await answers(port))) {
    if (status === null && performance.now() < until && !signal.aborted) await pause(20)
    else {
      await stop()
      signal.throwIfAborted()
      throw benchError('PEER_FAILED', `nginx did not start: ${status ?? 'nothing listens'}`)
    }
  }
  return { label: 'nginx, sendfile', port, pid: child.pid ?? 0, stop }
}

/** One process and no log, so that its CPU is what serving costs; its other settings are as it ships, with sendfile. */
function nginxConfiguration(port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 64; }
http {
  access_log off;
  sendfile on;
  sendfile_max_chunk 2m;
  default_type application/octet-stream;
  ${temporary.map((name) => `${name}_temp_path nginx-${name};`).join('\n  ')}
  server { listen 127.0.0.1:${port}; root docs; }
}
`
}

/** nginx cannot say which port it was given, so it is told one that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const tell = (does: boolean) => {
      socket.destroy()
      resolve(does)
    }
    socket.once('connect', () => tell(true))
    socket.once('error', () => tell(false))
  })
}
