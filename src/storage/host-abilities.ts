import { kernelAbilities } from '../native/space.ts'

export interface HostAbilities {
  /** Whether this process may make an io_uring: sysctls, containers and seccomp filters forbid it. */
  readonly ioUring: boolean
  readonly root: boolean
  /** Its release, as `uname -r` has it. */
  readonly kernel: string
}

/** What this kernel lets this process do, tried rather than read from a setting. */
export function hostAbilities(): HostAbilities {
  const { ioUring, root, kernel } = kernelAbilities()
  return { ioUring, root, kernel }
}
