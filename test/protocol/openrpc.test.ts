import test from 'ava'
import { shortName } from '../../src/protocol/method.ts'
import { openRpcDocument } from '../../src/protocol/openrpc.ts'
import { sealerMethods } from '../../src/protocol/sealer-methods.ts'
import { workerMethods } from '../../src/protocol/worker-methods.ts'

for (const [title, table] of [
  ['sealer', sealerMethods],
  ['worker', workerMethods],
] as const) {
  test(`the document of a ${title} has every method, and is JSON`, (t) => {
    const document = openRpcDocument(table, { title, version: '1' })
    t.deepEqual(
      document.methods.map(({ name }) => name),
      Object.keys(table),
    )
    t.deepEqual(JSON.parse(JSON.stringify(document)), document)
  })

  test(`no two methods of a ${title} share a name without its namespace`, (t) => {
    const names = Object.keys(table).map(shortName)
    t.is(new Set(names).size, names.length)
  })
}

test('a schema says what goes over the wire', (t) => {
  const { methods } = openRpcDocument(sealerMethods, { title: 's', version: '1' })
  const alloc = methods.find(({ name }) => name === 'Filecoin.StorageBestAlloc')
  t.deepEqual(
    alloc?.params.map(({ required }) => required),
    [true, true, true, false],
  )
  t.deepEqual(alloc?.params[2]?.schema, { type: 'string', enum: ['sealing', 'storage'] })
})
