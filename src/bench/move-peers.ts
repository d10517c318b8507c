import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { needProgram, run } from './programs.ts'

export const MOVE_PEERS = ['cp', 'mv', 'rsync'] as const
export type MovePeerName = (typeof MOVE_PEERS)[number]

/** What an operator would type instead. */
export interface MovePeer {
  readonly label: string
  move(source: string, target: string, signal: AbortSignal): Promise<void>
}

/**
 * Each of them ends when the file is on the disk, else it would be timed for less work than the mover does.
 * @throws BenchError NO_PEER
 */
export function movePeer(name: MovePeerName): MovePeer {
  const steps = stepsOf(name)
  return {
    label: steps.label,
    async move(source, target, signal) {
      await mkdir(dirname(target), { recursive: true })
      for (const [program, ...args] of steps.commands(source, target)) {
        await run(program, args, signal)
      }
    },
  }
}

interface Steps {
  readonly label: string
  commands(source: string, target: string): readonly (readonly [string, ...string[]])[]
}

function stepsOf(name: MovePeerName): Steps {
  const program = needProgram(name, 'install it, or take another --peer')
  const sync = needProgram('sync', 'it is part of GNU coreutils')
  switch (name) {
    case 'cp':
      return {
        label: 'cp + sync -f + rm',
        commands: (source, target) => [
          [program, source, target],
          [sync, '-f', target],
          ['rm', source],
        ],
      }
    case 'mv':
      return {
        label: 'mv + sync -f',
        commands: (source, target) => [
          [program, source, target],
          [sync, '-f', target],
        ],
      }
    case 'rsync':
      return {
        label: 'rsync --fsync',
        commands: (source, target) => [
          [program, '-a', '--whole-file', '--fsync', '--remove-source-files', source, target],
        ],
      }
  }
}
