import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import type { RootArgument } from './servers.ts'

/** What serving files in Node looks like when nobody thought about it. */
const { host, root } = JSON.parse(process.argv[2] ?? '') as RootArgument

const server = createServer((request, response) => {
  const file = join(root, request.url ?? '')
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': statSync(file).size,
  })
  createReadStream(file).pipe(response)
})
server.listen(0, host, () => {
  const address = server.address()
  process.send?.(typeof address === 'object' && address !== null ? address.port : 0)
})
process.on('disconnect', () => process.exit())
