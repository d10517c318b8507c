import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { benchFetch, type MeasuredFetch } from '../storage/bench-fetch.ts'
import { takeOrders } from './child-orders.ts'
import type { FetchCandidateName } from './fetch.ts'

/** A client in a process of its own: what it costs, curl included, is told apart from the server. */
const { name } = JSON.parse(process.argv[2] ?? '') as { name: FetchCandidateName }

const clients: Readonly<Record<FetchCandidateName, (order: MeasuredFetch) => Promise<void>>> = {
  async sealyard(order) {
    await benchFetch(order)
  },
  async curl(order) {
    await curl(order)
    await syncPath(order.target)
  },
  async node(order) {
    await pipeline(await answerTo(order), createWriteStream(order.target, { flags: 'wx' }))
    await syncPath(order.target)
  },
}

function curl({ url, token, target }: MeasuredFetch): Promise<void> {
  const args = [
    '--silent',
    '--show-error',
    '--fail',
    '-H',
    `Authorization: Bearer ${token}`,
    '-o',
    target,
    url,
  ]
  return new Promise((resolve, reject) => {
    const child = spawn('curl', args, { stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('error', reject)
    child.once('close', (status) =>
      status === 0 ? resolve() : reject(new Error(`curl ended with status ${status}`)),
    )
  })
}

function answerTo({ url, token }: MeasuredFetch): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = get(url, { headers: { authorization: `Bearer ${token}` } }, (response) => {
      if (response.statusCode === 200) resolve(response)
      else reject(new Error(`status ${response.statusCode}`))
    })
    sent.once('error', reject)
  })
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

takeOrders<MeasuredFetch>(async (order) => {
  const begun = performance.now()
  await clients[name](order)
  await syncPath(dirname(order.target))
  return (performance.now() - begun) / 1000
})
