import { createHash, type Hash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { takeOrders } from './child-orders.ts'
import type { SinkOrder, Sunk } from './sink.ts'
import { SinkConnection } from './sink-connection.ts'

let isStopped = false

async function receive(order: SinkOrder): Promise<Sunk> {
  isStopped = false
  const hash: Hash | null = order.digest ? createHash('sha256') : null
  const file = order.saveTo === null ? null : openSync(order.saveTo, 'wx', 0o644)
  const take =
    hash === null && file === null
      ? null
      : (part: Buffer) => {
          hash?.update(part)
          if (file !== null) writeSync(file, part)
        }
  let [bytes, begunRequests, requests] = [0, 0, 0]
  const ask = async () => {
    const connection = new SinkConnection(order, take)
    try {
      while (!isStopped && (order.requests === null || begunRequests < order.requests)) {
        const path = order.paths[begunRequests++ % order.paths.length] ?? ''
        // Not in one with the addition, which would forget what others added meanwhile.
        const received = await connection.get(path)
        bytes += received
        requests++
      }
    } finally {
      connection.close()
    }
  }
  const begun = performance.now()
  try {
    await Promise.all(Array.from({ length: order.connections }, ask))
  } finally {
    // Else the other connections would go on after one has failed.
    isStopped = true
    if (file !== null) closeSync(file)
  }
  return { bytes, requests, seconds: (performance.now() - begun) / 1000, digest: hash?.digest('hex') ?? null }
}

takeOrders<SinkOrder | 'stop'>(async (order) => {
  if (order !== 'stop') return receive(order)
  isStopped = true
  return undefined
})
