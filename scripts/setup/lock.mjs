/** One set-up at a time: two that install into one clone would take each other's files away. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { say } from './step.mjs'

const LOOK_EVERY_MS = 500

/**
 * Runs `work` while no other process does anything `alone` with the same directory; waits for its turn.
 * The lock is an abstract Unix socket: however its owner ends, the kernel gives it back.
 * @returns what the work returns
 */
export async function alone(directory, work) {
  const name = `\0sealyard-${createHash('sha256').update(directory).digest('hex').slice(0, 32)}`
  let held = await take(name)
  if (held === null) say(`another set-up is at work in ${directory}; waiting for it …`)
  while (held === null) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    held = await take(name)
  }
  try {
    return await work()
  } finally {
    await new Promise((resolve) => held.close(resolve))
  }
}

/** @returns {Promise<import('node:net').Server | null>} null when another process has it */
function take(name) {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', (error) => (error.code === 'EADDRINUSE' ? resolve(null) : reject(error)))
    server.listen(name, () => resolve(server))
  })
}
