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
