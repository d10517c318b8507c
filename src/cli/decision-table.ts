import { formatBytes } from '../base/bytes.ts'
import type { Decision } from '../protocol/types.ts'
import { taskCode } from '../sectors/task-types.ts'
import { formatTable } from './table.ts'

/** Each decision with all its windows; the chosen one is starred. */
export function formatDecisions(decisions: readonly Decision[]): string {
  return decisions.map(formatDecision).join('\n')
}

function formatDecision(decision: Decision): string {
  const rows = decision.windows.map((window) => [
    window.window === decision.chosen ? '*' : '',
    String(window.window),
    window.hostname,
    window.accepted ? 'yes' : 'no',
    formatBytes(window.networkBytes),
    formatBytes(window.copiedBytes),
    window.secondsUntilFree.toFixed(1),
    window.reason,
  ])
  const header = ['', 'Window', 'Worker', 'Accepted', 'Network', 'Copied', 'Free in s', 'Reason']
  return `${decision.at} sector ${decision.sector.Number} ${taskCode(decision.task)}\n${formatTable(header, rows)}`
}
