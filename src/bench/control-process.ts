import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { takeOrders } from './child-orders.ts'

/** Some small RPC-like calls, one after the other on one connection. */
export interface ControlOrder {
  readonly host: string
  readonly port: number
  readonly token: string
  readonly calls: number
}

/** Between two calls: a daemon's calls come now and then, and this process must not be the load. */
const PAUSE_MS = 2

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function call({ host, port, token }: ControlOrder, id: number): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, agent, method: 'POST', path: '/rpc/v0', headers }, (response) => {
      let text = ''
      response.on('data', (part: Buffer) => {
        text += part.toString()
      })
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200 && text.includes(`"id":${id},`)) resolve()
        else reject(new Error(`status ${response.statusCode}: ${text.slice(0, 80)}`))
      })
    })
    sent.on('error', reject)
    sent.end(JSON.stringify({ jsonrpc: '2.0', id, method: 'Filecoin.Version', params: [] }))
  })
}

/** @returns milliseconds of each */
async function callAll(order: ControlOrder): Promise<number[]> {
  // The first opens the connection, and the tunnel behind the door.
  await call(order, 0)
  const waits: number[] = []
  for (let id = 1; id <= order.calls; id++) {
    const begun = performance.now()
    await call(order, id)
    waits.push(performance.now() - begun)
    await pause(PAUSE_MS)
  }
  return waits
}

takeOrders<ControlOrder>(callAll)
