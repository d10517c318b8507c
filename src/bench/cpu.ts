import { readFileSync } from 'node:fs'

/** Ticks per second in /proc: USER_HZ, 100 on every architecture Sealyard runs on. */
const TICKS = 100

/**
 * CPU seconds of a process since its start, all threads, and with `children` those it has waited for.
 * In steps of 10 ms.
 */
export function cpuSeconds(pid: number | 'self', children: boolean): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name may hold blanks and brackets; fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user, system, childUser, childSystem] = fields.slice(11, 15).map(Number)
  const own = (user ?? 0) + (system ?? 0)
  return (children ? own + (childUser ?? 0) + (childSystem ?? 0) : own) / TICKS
}

/**
 * CPU seconds of the whole machine since its start, idle time and waiting left out. It catches what the kernel does
 * for a process without charging it (write-back, paced sending), and whatever else runs: it says something only on
 * a quiet machine.
 */
export function machineCpuSeconds(): number {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
    .split(/\s+/, 9)
    .map(Number)
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) / TICKS
}

/** What some work took. */
export interface Cost {
  readonly seconds: number
  /** Of the process that was watched. */
  readonly cpuSeconds: number
  /** Of everything that ran meanwhile, other programs included. */
  readonly machineCpuSeconds: number
}

/**
 * Runs `work` and measures it.
 * @param pid whose CPU time is watched
 * @param children whether that of programs it waited for counts
 */
export async function measureCost<T>(
  pid: number | 'self',
  work: () => Promise<T>,
  children = pid === 'self',
): Promise<{ cost: Cost; result: T }> {
  const [own, machine, begun] = [cpuSeconds(pid, children), machineCpuSeconds(), performance.now()]
  const result = await work()
  return {
    cost: {
      seconds: (performance.now() - begun) / 1000,
      cpuSeconds: cpuSeconds(pid, children) - own,
      machineCpuSeconds: machineCpuSeconds() - machine,
    },
    result,
  }
}
