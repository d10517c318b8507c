import { once } from 'node:events'
import { connect } from 'node:net'
import { SealyardError } from '../base/errors.ts'

const DIAL_TIMEOUT_MS = 30_000

/**
 * The address under which the node at `url` sees this machine: the local end of a connection to it.
 * A worker that listens on all addresses tells others this one, as lotus' does.
 */
export async function addressTowards(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) })
    const { localAddress = '127.0.0.1' } = socket
    return localAddress.replace(/^::ffff:/, '')
  } catch (cause) {
    throw new SealyardError({
      code: 'NO_OWN_ADDRESS',
      level: 'permanent',
      message: `${url} cannot be reached to find this machine's own address; set [API] RemoteListenAddress to host:port`,
      cause,
    })
  } finally {
    socket.destroy()
  }
}
