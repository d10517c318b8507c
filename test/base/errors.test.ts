import test from 'ava'
import { describeError, errorCode, isSealyardError, SealyardError } from '../../src/base/errors.ts'

class CellarError extends SealyardError {}

test('carries code, level, sector, storage path and cause, absent ones as null', (t) => {
  const cause = new Error('disk on fire')
  const error = new CellarError({
    code: 'NO_SPACE',
    level: 'temporary',
    message: 'no space',
    sector: 's-t01000-7',
    cause,
  })
  t.is(error.name, 'CellarError')
  t.is(error.code, 'NO_SPACE')
  t.is(error.level, 'temporary')
  t.is(error.sector, 's-t01000-7')
  t.is(error.storagePath, null)
  t.is(error.cause, cause)
  t.true(isSealyardError(error, 'NO_SPACE'))
  t.false(isSealyardError(error, 'OTHER'))
  t.false(isSealyardError(cause))
})

test('keeps its message on one line', (t) => {
  t.is(new SealyardError({ code: 'A', level: 'permanent', message: 'one\n  two\n' }).message, 'one two')
})

test('describes an error with its causes, and repeats none', (t) => {
  const root = new Error('ENOSPC: no space left')
  const middle = new SealyardError({ code: 'B', level: 'temporary', message: 'cannot copy', cause: root })
  t.is(
    describeError(new Error('finalize failed', { cause: middle })),
    'finalize failed: cannot copy: ENOSPC: no space left',
  )
  t.is(
    describeError(new Error('cannot copy: ENOSPC: no space left', { cause: root })),
    'cannot copy: ENOSPC: no space left',
  )
  t.is(describeError('plain text'), 'plain text')
})

test('finds the code of system errors too', (t) => {
  t.is(errorCode(Object.assign(new Error('x'), { code: 'ENOENT' })), 'ENOENT')
  t.is(errorCode(new Error('x')), null)
  t.is(errorCode(null), null)
})
