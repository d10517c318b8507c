/**
 * Runs everything: the checks, the crates' tests, the prover's, AVA's, the kill matrix. It goes on after a failure, prints all
 * skips with their reasons and each runner's last line, and ends with one line of counts.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChecks } from './check.mjs'
import { readAva, readCargo, readMatrix } from './read-results.mjs'
import { at, PROVER_MANIFEST, TARGET, TOP } from './setup/paths.mjs'
import { proverTarget } from './setup/prover.mjs'
import { seconds } from './setup/step.mjs'

const scratch = mkdtempSync(join(tmpdir(), 'sealyard-test-'))
const skipLog = join(scratch, 'skips')

/** Shows the output as it comes and keeps it. @returns {Promise<{ output: string, code: number | null }>} */
async function show(command, args) {
  const child = spawn(command, args, {
    cwd: TOP,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SEALYARD_SKIP_LOG: skipLog },
  })
  let output = ''
  for (const [stream, target] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      output += chunk
      target.write(chunk)
    })
  }
  const code = await new Promise((resolve) => {
    child.on('error', (error) => {
      output += `${command}: ${error.message}\n`
      console.error(`${command}: ${error.message}`)
      resolve(null)
    })
    child.on('close', resolve)
  })
  return { output, code }
}

/** One runner: its counts, and a failure of its own when it failed without a failed test. */
async function runner(name, command, args, read) {
  console.log(`\n== ${name}`)
  const began = performance.now()
  const { output, code } = await show(command, args)
  const result = read(output)
  if (code !== 0 && result.failed === 0) result.failed = 1
  if (code === 0 && result.passed === 0) {
    console.log(`${name} ran no test at all: that counts as a failure`)
    result.failed = 1
  }
  const lastLine = result.lastLine ?? `ended with ${code} and no summary`
  return { ...result, name, lastLine: `${lastLine} (${seconds(performance.now() - began)})` }
}

function checksAsResult() {
  console.log('== checks')
  const results = runChecks()
  const failed = results.filter((each) => !each.ok)
  const passed = results.length - failed.length
  const names = failed.length === 0 ? '' : `: ${failed.map((each) => each.name).join(', ')}`
  return {
    name: 'checks',
    passed,
    failed: failed.length,
    skips: [],
    lastLine: `${passed} passed, ${failed.length} failed${names}`,
  }
}

async function all() {
  const results = [checksAsResult()]
  // --show-output: a test that passes by skipping says so on its output.
  const cargo = ['test', '--locked', '--no-fail-fast']
  const shown = ['--', '--show-output']
  results.push(
    await runner('crates', 'cargo', [...cargo, '--workspace', '--target-dir', TARGET, ...shown], readCargo),
  )
  const prover = ['--release', '--features', 'params', '--manifest-path', PROVER_MANIFEST]
  results.push(
    await runner(
      'prover',
      'cargo',
      [...cargo, ...prover, '--target-dir', proverTarget(), ...shown],
      readCargo,
    ),
  )
  const ava = at('node_modules', '.bin', 'ava')
  results.push(await runner('AVA', ava, [], readAva))
  // Alone on the machine: it kills daemons hundreds of times, and each has to be up again soon.
  results.push(await runner('kill matrix', ava, ['--config', 'ava.matrix.config.js'], readMatrix))
  return results
}

function conclude(results) {
  const logged = existsSync(skipLog) ? readFileSync(skipLog, 'utf8').trim().split('\n').filter(Boolean) : []
  const skips = [...new Set([...results.flatMap((each) => each.skips), ...logged])]
  if (skips.length > 0) console.log('\n== skipped')
  for (const skip of skips) console.log(skip)
  console.log('\n== results')
  for (const each of results) console.log(`${each.name}: ${each.lastLine}`)
  const sum = (key) => results.reduce((total, each) => total + each[key], 0)
  const failed = sum('failed')
  // A skipped test ends without a failure, so its runner counted it as passed.
  console.log(`${sum('passed') - skips.length} passed, ${failed} failed, ${skips.length} skipped`)
  return failed === 0
}

try {
  if (!conclude(await all())) process.exitCode = 1
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
