/**
 * The field's sector file types and their bits. JSON carries the bits, or-ed; a path on disk
 * names exactly one. The caches are directories, the others plain files.
 */
export const FILE_TYPES = ['unsealed', 'sealed', 'cache', 'update', 'update-cache', 'piece'] as const

export type SectorFileType = (typeof FILE_TYPES)[number]

/** Or-ed bits of file types, as on the wire. */
export type FileTypeBits = number

export const FILE_TYPE_BIT: Readonly<Record<SectorFileType, FileTypeBits>> = {
  unsealed: 1,
  sealed: 2,
  cache: 4,
  update: 8,
  'update-cache': 16,
  piece: 32,
}

/** How lotus' tables write each type. */
export const FILE_TYPE_WORD: Readonly<Record<SectorFileType, string>> = {
  unsealed: 'Unsealed',
  sealed: 'Sealed',
  cache: 'Cache',
  update: 'Update',
  'update-cache': 'UpdateCache',
  piece: 'Piece',
}

/** All bits together: 63. */
export const ALL_FILE_TYPES: FileTypeBits = 63

export function isDirectoryType(type: SectorFileType): boolean {
  return type === 'cache' || type === 'update-cache'
}

export function isFileType(word: string): word is SectorFileType {
  return (FILE_TYPES as readonly string[]).includes(word)
}

/** The types in `bits`, in bit order. */
export function fileTypesOf(bits: FileTypeBits): SectorFileType[] {
  return FILE_TYPES.filter((type) => (bits & FILE_TYPE_BIT[type]) !== 0)
}

export function fileTypeBits(...types: SectorFileType[]): FileTypeBits {
  return types.reduce((bits, type) => bits | FILE_TYPE_BIT[type], 0)
}
