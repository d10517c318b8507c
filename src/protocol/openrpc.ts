import { z } from 'zod'
import type { MethodTable } from './method.ts'

/**
 * The OpenRPC document of a node (`Filecoin.Discover`), made from its method table: nothing in it can differ from
 * what the server checks.
 */
export function openRpcDocument(table: MethodTable, node: { title: string; version: string }) {
  return {
    openrpc: '1.2.6',
    info: { title: node.title, version: node.version },
    methods: Object.entries(table).map(([name, row]) => ({
      name,
      summary: row.summary,
      description: `Needs permission '${row.permission}'.`,
      paramStructure: 'by-position',
      params: row.params.map((schema, index) => ({
        name: `p${index + 1}`,
        required: index < row.params.length - row.optional,
        schema: jsonSchema(schema),
      })),
      result: { name: `${name}Result`, schema: jsonSchema(row.result) },
    })),
  }
}

/** As it goes over the wire; a transform's own result has no schema, and needs none. */
function jsonSchema(schema: z.ZodType) {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest
}
