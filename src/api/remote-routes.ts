import { z } from 'zod'
import { isSealyardError } from '../base/errors.ts'
import { cid, type FsStat, sectorRef } from '../protocol/types.ts'
import { isFileType, type SectorFileType } from '../sectors/file-types.ts'
import { parseSectorName, type SectorId } from '../sectors/sector-id.ts'
import {
  empty,
  type HttpRequest,
  NOT_FOUND,
  type Route,
  type RouteResult,
  sniffedJson,
  words,
} from './http-types.ts'

const vanillaSingleRequest = z.object({
  Miner: z.number().int().nonnegative(),
  Sector: z.object({
    SealProof: z.number().int(),
    SectorNumber: z.number().int().nonnegative(),
    SealedCID: cid,
    Challenge: z
      .array(z.number().int().nonnegative())
      .nullish()
      .transform((list) => list ?? []),
    Update: z.boolean().default(false),
  }),
  /** The registered PoSt proof type. */
  ProofType: z.number().int(),
})
export type VanillaSingleRequest = z.output<typeof vanillaSingleRequest>

const vanillaPorepRequest = z.object({
  Sector: sectorRef,
  Sealed: cid,
  Unsealed: cid,
  /** base64 */
  Ticket: z.string(),
  Seed: z.string(),
})
export type VanillaPorepRequest = z.output<typeof vanillaPorepRequest>

/** What this node's storage and proofs answer of `/remote`. */
export interface RemoteBackend {
  /** @throws with code UNKNOWN_PATH when this node has not attached it, PATH_PARKED with the reason */
  stat(pathId: string): Promise<FsStat>
  /**
   * Lets the door serve a file that lies here and that it was not told of: another node may have put it on a path
   * that both see.
   * @returns false when it does not lie here
   * @throws with code PATH_PARKED when it lies on a path that is away
   */
  serveFound(sector: SectorId, type: SectorFileType): Promise<boolean>
  /** Whether all of a range (unpadded bytes) of the unsealed copy is there. */
  allocated(sector: SectorId, proofType: number, offset: number, size: number): Promise<boolean>
  /** Removes a type from every path of this node but those in `keep`. */
  remove(sector: SectorId, type: SectorFileType, keep: readonly string[]): Promise<void>
  vanillaSingle(request: VanillaSingleRequest): Promise<Uint8Array>
  vanillaPorep(request: VanillaPorepRequest): Promise<Uint8Array>
}

const SECTOR = '(s-t0\\d{1,16}-\\d{1,16})'
const TYPE = '(unsealed|sealed|cache|update|update-cache|piece)'

/**
 * `/remote` but for the sector files themselves (lotus-compat 2.1). The grammar is narrower than lotus': what it
 * does not know is 404, where lotus says 500; the field's clients treat both alike.
 */
export function remoteRoutes(
  backend: RemoteBackend,
  handBack: (request: HttpRequest) => RouteResult,
): Route[] {
  const route = (pattern: string, methods: string[], handle: Route['handle']): Route => ({
    pattern: new RegExp(`^/remote/${pattern}$`),
    methods,
    admin: true,
    handle,
  })
  return [
    route('stat/([\\w-]{1,64})', ['GET'], (_request, [, id = '']) => stat(backend, id)),
    route('vanilla/single', ['POST'], (request) =>
      proof(request, vanillaSingleRequest, backend.vanillaSingle.bind(backend)),
    ),
    route('vanilla/porep', ['POST'], (request) =>
      proof(request, vanillaPorepRequest, backend.vanillaPorep.bind(backend)),
    ),
    route(`${TYPE}/${SECTOR}/(\\d{1,3})/allocated/(-?\\d{1,16})/(-?\\d{1,16})`, ['GET'], (_request, match) =>
      allocated(backend, match),
    ),
    route(`${TYPE}/${SECTOR}`, ['GET', 'HEAD', 'DELETE'], (request, match) =>
      request.method === 'DELETE'
        ? remove(backend, request, match)
        : serve(backend, handBack, request, match),
    ),
    route(`${TYPE}/${SECTOR}/[\\w.-]{1,64}`, ['GET', 'HEAD'], (request, match) =>
      serve(backend, handBack, request, match),
    ),
  ]
}

/** Only an admin's token comes here: an operator who lists the paths must read why one is parked. */
async function stat(backend: RemoteBackend, id: string): Promise<RouteResult> {
  try {
    return sniffedJson(await backend.stat(id))
  } catch (error) {
    if (!isSealyardError(error, 'PATH_PARKED')) throw error
    return words(503, error.message)
  }
}

/** The door sends here what it was not told of; handing back what does not lie here would go in circles. */
async function serve(
  backend: RemoteBackend,
  handBack: (request: HttpRequest) => RouteResult,
  request: HttpRequest,
  [, type = '', name = '']: RegExpExecArray,
): Promise<RouteResult> {
  const sector = parseSectorName(name)
  if (sector === null || !isFileType(type)) return NOT_FOUND
  try {
    return (await backend.serveFound(sector, type)) ? handBack(request) : empty(404)
  } catch (error) {
    // "Not here" would send a peer elsewhere for good; this one is only away.
    if (!isSealyardError(error, 'PATH_PARKED')) throw error
    return words(503, 'the storage path that holds it is away for now')
  }
}

async function allocated(backend: RemoteBackend, match: RegExpExecArray): Promise<RouteResult> {
  const [, type, name = '', proofType, offsetText, sizeText] = match
  const sector = parseSectorName(name)
  if (type !== 'unsealed' || sector === null) return NOT_FOUND
  const [offset, size] = [Number(offsetText), Number(sizeText)]
  // A negative offset is "not allocated" in lotus, an empty range an error.
  if (offset < 0) return empty(416)
  if (size <= 0) return words(400, 'size must be above 0')
  const all = await backend.allocated(sector, Number(proofType), offset, size)
  return empty(all ? 200 : 416)
}

async function remove(
  backend: RemoteBackend,
  request: HttpRequest,
  match: RegExpExecArray,
): Promise<RouteResult> {
  const [, type = '', name = ''] = match
  const sector = parseSectorName(name)
  if (sector === null || !isFileType(type)) return NOT_FOUND
  if (carriesBody(request)) return words(400, 'DELETE takes no body')
  const keep = (new URLSearchParams(request.query).get('keep') ?? '').split('.').filter((id) => id !== '')
  // Removed all the same it might be another file than the one that was meant.
  if (request.headers['if-match'] !== undefined)
    return words(501, 'this node removes without conditions only')
  await backend.remove(sector, type, keep)
  return empty(200)
}

async function proof<T>(
  request: HttpRequest,
  schema: z.ZodType<T>,
  prove: (request: T) => Promise<Uint8Array>,
): Promise<RouteResult> {
  const parsed = schema.safeParse(parseJson(await request.body()))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return words(400, `${issue?.path.join('.') || 'the body'}: ${issue?.message ?? 'not understood'}`)
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/octet-stream' },
    body: await prove(parsed.data),
  }
}

function carriesBody(request: HttpRequest): boolean {
  const length = request.headers['content-length']
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'))
  } catch {
    return undefined
  }
}
