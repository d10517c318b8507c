/** Reads the counts out of what test runners print. */
import { stripVTControlCharacters } from 'node:util'

/** A test that could not run here says so on a line of its own: `SKIP: title: reason`. */
const SKIP = /^\s*SKIP: .+$/gm

function skipsIn(output) {
  return (output.match(SKIP) ?? []).map((line) => line.trim())
}

/** Without colours. */
const plain = (output) => stripVTControlCharacters(output)

/** Sums cargo's `test result:` lines, one per test binary. */
export function readCargo(output) {
  const text = plain(output)
  const counts = { passed: 0, failed: 0 }
  let binaries = 0
  for (const match of text.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    binaries++
    counts.passed += Number(match[1])
    counts.failed += Number(match[2])
  }
  const notBuilt = /^error(\[E\d+\])?: (?!test failed|\d+ targets? failed)/m.test(text)
  if (notBuilt && counts.failed === 0) counts.failed = 1
  const lastLine =
    binaries === 0
      ? 'did not compile'
      : `${counts.passed} passed, ${counts.failed} failed, in ${binaries} test binaries`
  return { ...counts, skips: skipsIn(text), lastLine }
}

/** Reads the summary at the end of AVA's default report. */
export function readAva(output) {
  const text = plain(output)
  const count = (pattern) => [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0)
  const passed = count(/^\s*(\d+) tests? passed\b/gm)
  const failed =
    count(/^\s*(\d+) (?:tests?|hooks?) failed\b/gm) +
    count(/^\s*(\d+) (?:uncaught exceptions?|unhandled rejections?|tests? remained pending)\b/gm)
  const noTests =
    text.match(/^\s*✘ .*(?:No tests found|exited|finished running|Couldn|failed to)/gm)?.length ?? 0
  const summary = text.match(/^\s*\d+ (?:tests?|hooks?|uncaught|unhandled).*$/gm) ?? []
  return {
    passed,
    failed: Math.max(failed, noTests),
    skips: skipsIn(text),
    lastLine: summary.length === 0 ? undefined : summary.map((line) => line.trim()).join(', '),
  }
}

/** The kill matrix is an AVA run that ends with a line of its own; without it, it was not run to its end. */
export function readMatrix(output) {
  const result = readAva(output)
  const line = /^\s*kill matrix: (.+)$/m.exec(plain(output))
  if (line === null) return { ...result, failed: Math.max(result.failed, 1) }
  return { ...result, lastLine: `${result.lastLine}; ${line[1]}` }
}
