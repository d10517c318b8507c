import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'

/** What serving a file in Node looks like when nobody thought about it. */
const { file } = JSON.parse(process.argv[2] ?? '') as { file: string }

const server = createServer((_request, response) => {
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': statSync(file).size,
  })
  createReadStream(file).pipe(response)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.(typeof address === 'object' && address !== null ? address.port : 0)
})
process.on('disconnect', () => process.exit())
