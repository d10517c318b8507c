import type { FilesystemView } from '../protocol/types.ts'

/** A look at a filesystem, and when it was taken (monotonic milliseconds of whoever keeps it). */
export interface SeenView {
  readonly view: FilesystemView
  readonly atMs: number
}

export interface FilesystemGroup {
  /** Any name; the same for all that share free space. */
  readonly id: string
  /** By the freshest look anybody took. */
  readonly availableBytes: number
}

export interface GroupedPath {
  readonly pathId: string
  readonly groupId: string
  readonly maxBytes: number
  readonly usedBytes: number
}

/**
 * Which paths share free space. Two paths on one (machine, filesystem) do; and since a path is known by its
 * ID, the filesystems under which two machines see one path are one as well.
 */
export function groupFilesystems(seen: readonly SeenView[]): {
  groups: FilesystemGroup[]
  paths: GroupedPath[]
} {
  const parent = new Map<string, string>()
  const rootOf = (node: string): string => {
    const above = parent.get(node) ?? node
    if (above === node) return node
    const root = rootOf(above)
    parent.set(node, root)
    return root
  }
  const filesystemNode = (view: FilesystemView) => `filesystem ${view.machine} ${view.filesystem}`
  for (const { view } of seen) parent.set(rootOf(filesystemNode(view)), rootOf(`path ${view.pathId}`))

  const groups = new Map<string, { group: FilesystemGroup; atMs: number }>()
  const paths = new Map<string, { path: GroupedPath; atMs: number }>()
  for (const { view, atMs } of seen) {
    const groupId = rootOf(filesystemNode(view))
    if (atMs >= (groups.get(groupId)?.atMs ?? Number.NEGATIVE_INFINITY)) {
      groups.set(groupId, { group: { id: groupId, availableBytes: view.availableBytes }, atMs })
    }
    if (atMs >= (paths.get(view.pathId)?.atMs ?? Number.NEGATIVE_INFINITY)) {
      const { pathId, maxBytes, usedBytes } = view
      paths.set(pathId, { path: { pathId, groupId, maxBytes, usedBytes }, atMs })
    }
  }
  return {
    groups: [...groups.values()].map((each) => each.group),
    paths: [...paths.values()].map((each) => each.path),
  }
}

/** Six heartbeats: with each, nodes send a look at all their paths. */
const FORGOTTEN_AFTER_MS = 60_000

/**
 * The looks that still say something. One that nobody has refreshed is of a path that was detached, or whose disk
 * moved to another machine: it would join the filesystems of both for ever. But a machine that cannot be heard may
 * still write what it was promised, so where anything is held, the looks at that filesystem stay until the path is
 * seen somewhere else.
 * @param heldPaths IDs of the paths on which something is reserved
 */
export function currentViews(
  seen: readonly SeenView[],
  heldPaths: ReadonlySet<string>,
  nowMs: number,
): SeenView[] {
  const isFresh = ({ atMs }: SeenView) => nowMs - atMs <= FORGOTTEN_AFTER_MS
  const placeOf = ({ view }: SeenView) => `${view.machine} ${view.filesystem}`
  const freshPaths = new Set(seen.filter(isFresh).map(({ view }) => view.pathId))
  const owing = seen.filter(({ view }) => heldPaths.has(view.pathId) && !freshPaths.has(view.pathId))
  const owingPlaces = new Set(owing.map(placeOf))
  return seen.filter((each) => isFresh(each) || owingPlaces.has(placeOf(each)))
}
