import { createReadStream, statSync } from 'node:fs'
import { join } from 'node:path'
import HyperExpress from 'hyper-express'
import type { RootArgument } from './servers.ts'

/** Files served by the library that is behind the front door, as its documentation shows it. */
const { host, root } = JSON.parse(process.argv[2] ?? '') as RootArgument

const server = new HyperExpress.Server({ auto_close: false })
server.get('/*', async (request, response) => {
  const file = join(root, request.path)
  response.header('content-type', 'application/octet-stream')
  await response.stream(createReadStream(file), statSync(file).size)
})
process.on('disconnect', () => process.exit())
await server.listen(0, host)
process.send?.(server.port)
