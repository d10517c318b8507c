import type { ApiOf } from './method.ts'
import type { indexMethods, returnMethods, sealerMethods, spaceMethods } from './sealer-methods.ts'
import type { workerMethods } from './worker-methods.ts'

export type SealerApi = ApiOf<typeof sealerMethods>
export type WorkerApi = ApiOf<typeof workerMethods>
/** The part of the sealer that storage talks to. */
export type IndexApi = ApiOf<typeof indexMethods>
export type SpaceApi = ApiOf<typeof spaceMethods>
/** The part of the sealer that takes results. */
export type ReturnApi = ApiOf<typeof returnMethods>
