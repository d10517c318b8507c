import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { benchError } from './errors.ts'
import { needProgram } from './programs.ts'

/** What it serves, and where it may keep its own files. */
export interface NginxOptions {
  readonly host: string
  readonly root: string
  readonly scratch: string
  /** What starts it elsewhere; empty: nothing. */
  readonly prefix: readonly string[]
}

/** How long it may take until it listens. */
const START_MS = 10_000

/** @throws BenchError NO_PEER, PEER_FAILED */
export async function startNginx({ host, root, scratch, prefix }: NginxOptions, signal: AbortSignal) {
  const nginx = needProgram('nginx', 'install it, or leave it out of --candidates')
  const port = await freePort()
  await writeFile(join(scratch, 'nginx.conf'), configuration(host, port, root))
  // Paths in the configuration are relative to -p, whatever letters the directory has.
  const [program, ...args] = [...prefix, nginx, '-p', scratch, '-c', 'nginx.conf', '-e', 'nginx.log']
  const child = spawn(program, args, { stdio: 'ignore' })
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
  const until = performance.now() + START_MS
  // It writes its process id once it listens; from outside its network nobody could connect to see.
  while (!existsSync(join(scratch, 'nginx.pid'))) {
    if (status === null && performance.now() < until && !signal.aborted) await pause(20)
    else {
      await stop()
      signal.throwIfAborted()
      throw benchError('PEER_FAILED', `nginx did not start: ${status ?? 'nothing listens'}`)
    }
  }
  return { port, pid: child.pid ?? 0, stop }
}

/**
 * One process and no log, so that its CPU is what serving costs. Otherwise as it ships, with sendfile, with the
 * cache of open files that its operators switch on for small ones, and without the end of a connection after 1000
 * requests.
 */
function configuration(host: string, port: number, root: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  sendfile_max_chunk 2m;
  open_file_cache max=1024;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  ${temporary.map((name) => `${name}_temp_path nginx-${name};`).join('\n  ')}
  server { listen ${host}:${port}; root "${root.replace(/["\\]/g, '\\$&')}"; }
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
