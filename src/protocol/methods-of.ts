import { type ApiOf, type MethodTable, shortName } from './method.ts'

/**
 * Exactly the methods of a table, bound to the object that implements them: an instance of a class keeps its
 * methods on its prototype, where spreading it into a larger implementation does not see them.
 */
export function methodsOf<T extends MethodTable>(table: T, implementation: ApiOf<T>): ApiOf<T> {
  const methods = implementation as Record<string, (...args: unknown[]) => Promise<unknown>>
  return Object.fromEntries(
    Object.keys(table).map((name) => {
      const short = shortName(name)
      return [short, (...args: unknown[]) => (methods[short] as (typeof methods)[string])(...args)]
    }),
  ) as ApiOf<T>
}
