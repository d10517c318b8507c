import test from 'ava'
import { Interrupts } from '../../src/tour/interrupts.ts'

test('the first interrupt stops, the same one passed on by npm changes nothing, a second one kills', async (t) => {
  const interrupts = new Interrupts()
  t.false(interrupts.stopping.aborted)
  interrupts.interrupt('SIGINT', 1000)
  t.true(interrupts.stopping.aborted)
  t.is(await interrupts.interrupted(), 'interrupted')
  interrupts.interrupt('SIGINT', 1020)
  t.false(interrupts.killing.aborted)
  interrupts.interrupt('SIGINT', 1500)
  t.true(interrupts.killing.aborted)
})
