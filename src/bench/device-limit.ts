import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findProgram, run } from './programs.ts'
import { writeSectorFile } from './scratch.ts'

/** Bytes per second that the disks themselves give, without the page cache. */
export interface DeviceSample {
  readonly readBytesPerSecond: number
  readonly writeBytesPerSecond: number
}

/** How the limit of a device is taken: by fio where it is installed, else by dd, one request at a time. */
export function limitProgram(): 'fio' | 'dd' {
  return findProgram('fio') === null ? 'dd' : 'fio'
}

const PROBE = 'limit-probe'

/** Writes what {@link deviceLimit} reads. */
export async function writeProbeFile(sourceRoot: string, bytes: number, signal: AbortSignal): Promise<void> {
  await writeSectorFile(join(sourceRoot, PROBE), bytes, [{ at: 0, bytes }], signal)
}

/** Reads `bytes` below one directory and writes as many below the other, past the page cache, fsync included. */
export async function deviceLimit(
  sourceRoot: string,
  targetRoot: string,
  bytes: number,
  signal: AbortSignal,
): Promise<DeviceSample> {
  return {
    readBytesPerSecond: await deviceReadLimit(sourceRoot, bytes, signal),
    writeBytesPerSecond: await deviceWriteLimit(targetRoot, bytes, signal),
  }
}

/** Bytes per second at which the file that {@link writeProbeFile} wrote can be read past the page cache. */
export function deviceReadLimit(root: string, bytes: number, signal: AbortSignal): Promise<number> {
  return (limitProgram() === 'fio' ? fio : dd)('read', join(root, PROBE), bytes, signal)
}

/** Bytes per second at which a new file can be written past the page cache, fsync included. */
export async function deviceWriteLimit(root: string, bytes: number, signal: AbortSignal): Promise<number> {
  const target = join(root, `${PROBE}-written`)
  try {
    return await (limitProgram() === 'fio' ? fio : dd)('write', target, bytes, signal)
  } finally {
    await rm(target, { force: true })
  }
}

/** Sequential, 1 MiB requests, 16 at a time: what a copy could at best do. */
async function fio(rw: 'read' | 'write', file: string, bytes: number, signal: AbortSignal): Promise<number> {
  const args = [
    `--name=${rw}`,
    `--rw=${rw}`,
    `--filename=${file}`,
    `--size=${bytes}`,
    '--bs=1M',
    '--iodepth=16',
    '--ioengine=libaio',
    '--direct=1',
    '--end_fsync=1',
    '--output-format=json',
    ...(rw === 'read' ? ['--readonly'] : []),
  ]
  const report = JSON.parse(await run('fio', args, signal)) as {
    jobs: Record<'read' | 'write', { io_bytes: number; runtime: number }>[]
  }
  const side = report.jobs[0]?.[rw]
  // `runtime` is in milliseconds and leaves out the fsync at the end of a write; it is short beside direct writes.
  return side === undefined ? Number.NaN : (side.io_bytes / side.runtime) * 1000
}

async function dd(rw: 'read' | 'write', file: string, bytes: number, signal: AbortSignal): Promise<number> {
  // A direct write has to be of whole blocks: what is smaller than one is not worth measuring, and says so.
  const block = Math.min(2 ** 22, bytes)
  const ends = {
    read: [`if=${file}`, 'of=/dev/null', 'iflag=direct'],
    write: ['if=/dev/zero', `of=${file}`, 'oflag=direct', 'conv=fsync'],
  }[rw]
  const begun = performance.now()
  await run('dd', [...ends, `bs=${block}`, `count=${Math.floor(bytes / block)}`, 'status=none'], signal)
  return bytes / ((performance.now() - begun) / 1000)
}
