/**
 * Lays rows out in columns two spaces apart.
 * @param empty what becomes of a column that is empty in every row: lotus drops it in most tables
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  empty: 'dropped' | 'kept' = 'dropped',
): string {
  const keepsAll = empty === 'kept' || rows.length === 0
  const used = header.map((_, column) => keepsAll || rows.some((row) => (row[column] ?? '') !== ''))
  const lines = [header, ...rows].map((row) =>
    header.map((_, column) => row[column] ?? '').filter((_, c) => used[c]),
  )
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}
