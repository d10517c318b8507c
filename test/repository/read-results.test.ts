import test from 'ava'

// Plain JavaScript, without types.
// @ts-expect-error
const { readAva, readCargo, readMatrix } = await import('../../scripts/read-results.mjs')

test("sums cargo's results over its binaries and finds the skips", (t) => {
  const output = [
    'running 3 tests',
    '---- reflinks stdout ----',
    'SKIP: reflinks: this filesystem has no reflink',
    'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s',
    'test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s',
    'error: test failed, to rerun pass `-p mover --lib`',
  ].join('\n')
  t.deepEqual(readCargo(output), {
    passed: 7,
    failed: 1,
    skips: ['SKIP: reflinks: this filesystem has no reflink'],
    lastLine: '7 passed, 1 failed, in 2 test binaries',
  })
})

test('a crate that does not compile counts as a failure', (t) => {
  t.is(readCargo('error[E0425]: cannot find value `x`\nerror: could not compile `mover`').failed, 1)
  t.is(readCargo('').lastLine, 'did not compile')
})

test("reads AVA's summary, its crashes too", (t) => {
  t.like(readAva('  ✔ a\n  ─\n\n  35 tests passed\n'), { passed: 35, failed: 0, lastLine: '35 tests passed' })
  t.like(readAva('  ─\n\n  2 tests failed\n  1 unhandled rejection\n'), { passed: 0, failed: 3 })
  t.like(readAva('  ✘ No tests found in test/a.test.ts\n  ─\n\n  1 test passed\n'), { failed: 1 })
})

test('the kill matrix counts only when it has said how much it killed', (t) => {
  const line = 'kill matrix: 9 transitions × 3 targets (prover 1, sealer 5, worker 3), all green: 18 kills'
  const ended = readMatrix(`${line}\n  ✔ a\n  ─\n\n  5 tests passed\n`)
  t.like(ended, { passed: 5, failed: 0 })
  t.regex(ended.lastLine ?? '', /^5 tests passed; 9 transitions × 3 targets/)
  t.like(readMatrix('  ─\n\n  5 tests passed\n'), { failed: 1 })
})
