import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type HttpRequest, NOT_FOUND } from '../../src/api/http-types.ts'
import { type RemoteBackend, remoteRoutes } from '../../src/api/remote-routes.ts'
import { remoteStat } from '../../src/api/remote-stat.ts'
import { SealyardError } from '../../src/base/errors.ts'

class ParkedError extends SealyardError {}

const STAT = { Capacity: 100, Available: 40, FSAvailable: 50, Reserved: 10, Max: 0, Used: 5 }

async function nodeThat(t: ExecutionContext, answers: RequestListener): Promise<string> {
  const server = createServer(answers).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/remote`
}

const hangs: RequestListener = () => undefined
const refuses: RequestListener = (_request, response) => void response.writeHead(500).end()
const tells: RequestListener = (request, response) => {
  const isRight = request.url === '/remote/stat/p1' && request.headers.authorization === 'Bearer a-token'
  response.writeHead(isRight ? 200 : 400).end(JSON.stringify(STAT))
}

test('a node that hangs does not hide that another sees the path', async (t) => {
  const urls = [await nodeThat(t, hangs), await nodeThat(t, tells)]
  t.deepEqual(await remoteStat(urls, 'p1', 'a-token'), STAT)
})

test('after a node that refuses the next one is asked, and only then', async (t) => {
  let asked = 0
  const counts: RequestListener = (request, response) => {
    asked += 1
    tells(request, response)
  }
  const urls = [await nodeThat(t, refuses), await nodeThat(t, tells), await nodeThat(t, counts)]
  t.deepEqual(await remoteStat(urls, 'p1', 'a-token'), STAT)
  t.is(asked, 0)
})

test('when no node answers the error names the path and the first reason', async (t) => {
  const urls = [await nodeThat(t, refuses), await nodeThat(t, refuses)]
  const error = await t.throwsAsync(remoteStat(urls, 'p1', 'a-token'), {
    code: 'UNAVAILABLE',
    message: /path p1/,
  })
  t.regex(String((error as Error).cause), /HTTP 500/)
  await t.throwsAsync(remoteStat([], 'p1', 'a-token'), { code: 'UNAVAILABLE' })
})

test('a node whose path is parked says why, and whoever asked reads it', async (t) => {
  const parked: RemoteBackend['stat'] = () =>
    Promise.reject(
      new ParkedError({ code: 'PATH_PARKED', level: 'critical', message: 'p1 is parked: no disk' }),
    )
  const backend = { stat: parked } as unknown as RemoteBackend
  const route = remoteRoutes(backend, () => NOT_FOUND).find((each) => each.pattern.test('/remote/stat/p1'))
  const match = route?.pattern.exec('/remote/stat/p1')
  const answer = await route?.handle({} as HttpRequest, match as RegExpExecArray)
  const { status, body } = answer as { status: number; body: string }
  t.deepEqual([status, body], [503, 'p1 is parked: no disk\n'])

  const url = await nodeThat(t, (_request, response) => void response.writeHead(status).end(body))
  await t.throwsAsync(remoteStat([url], 'p1', 'a-token'), {
    code: 'UNAVAILABLE',
    message: /no node that has storage path p1 tells its space: .* answered HTTP 503: p1 is parked: no disk$/,
  })
})
