import { z } from 'zod'

/** lotus' four permissions; a token carries a list of them. */
export const PERMISSIONS = ['read', 'write', 'sign', 'admin'] as const
export type Permission = (typeof PERMISSIONS)[number]

/** One row of a method table: what goes in, what comes out, who may call. */
export interface Method<
  P extends readonly z.ZodType[] = readonly z.ZodType[],
  R extends z.ZodType = z.ZodType,
> {
  readonly permission: Permission
  /** Positional parameters. */
  readonly params: P
  /** How many of `params`, counted from the end, a caller may leave out (older nodes do). */
  readonly optional: number
  readonly result: R
  /** True when it may answer hours later: a client then sets no deadline. */
  readonly slow: boolean
  readonly summary: string
}

export type MethodTable = Readonly<Record<string, Method>>

/** Declares one method; only here so that tuples keep their types. */
export function method<const P extends readonly z.ZodType[], R extends z.ZodType>(row: {
  permission: Permission
  params: P
  optional?: number
  result: R
  slow?: boolean
  summary: string
}): Method<P, R> {
  return { optional: 0, slow: false, ...row }
}

/** A method's name without its namespace: how implementations and clients call it. */
export function shortName(method: string): string {
  return method.slice(method.indexOf('.') + 1)
}

type Outputs<P extends readonly z.ZodType[]> = {
  [K in keyof P]: P[K] extends z.ZodType ? z.output<P[K]> : never
}

type ShortName<K> = K extends `${string}.${infer Name}` ? Name : never

/**
 * The TypeScript face of a table: one async function per method, named without its namespace.
 * An in-process implementation and a client over the wire both satisfy it.
 */
export type ApiOf<T extends MethodTable> = {
  [K in keyof T as ShortName<K>]: (...args: Outputs<T[K]['params']>) => Promise<z.output<T[K]['result']>>
}

/** A result that Go calls nothing: `"result":null` on the wire, undefined here. */
export const nothing = z.null().transform((): void => undefined)

/** A Go slice: null and absent mean empty. */
export function list<T extends z.ZodType>(item: T) {
  return z
    .array(item)
    .nullish()
    .transform((items): z.output<T>[] => items ?? [])
}
