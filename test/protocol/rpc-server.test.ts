import test from 'ava'
import { z } from 'zod'
import { SealyardError } from '../../src/base/errors.ts'
import { list, method, nothing, type Permission } from '../../src/protocol/method.ts'
import { createDispatcher } from '../../src/protocol/rpc-server.ts'

const table = {
  'Filecoin.StorageList': method({ permission: 'admin', params: [], result: z.unknown(), summary: 's' }),
  'Filecoin.StorageBestAlloc': method({
    permission: 'admin',
    params: [z.number(), z.number(), z.string(), z.number().default(0)],
    optional: 1,
    result: z.unknown(),
    summary: 's',
  }),
  'Filecoin.Take': method({ permission: 'read', params: [list(z.number())], result: nothing, summary: 's' }),
  'Filecoin.Refuse': method({ permission: 'read', params: [], result: nothing, summary: 's' }),
  'Filecoin.Break': method({ permission: 'read', params: [], result: nothing, summary: 's' }),
  'Filecoin.Big': method({ permission: 'read', params: [], result: z.unknown(), summary: 's' }),
  'Filecoin.Missing': method({ permission: 'read', params: [], result: nothing, summary: 's' }),
}

const taken: unknown[][] = []
const faults: string[] = []
const dispatcher = createDispatcher(
  table,
  {
    StorageList: async () => ({ a: [1] }),
    StorageBestAlloc: async (...params) => params,
    Take: async (numbers) => void taken.push(numbers),
    Refuse: async () => {
      throw new SealyardError({ code: 'NO_SPACE', level: 'temporary', message: 'full\nof it' })
    },
    Break: async () => {
      throw new TypeError('x is not a function\nat y')
    },
    Big: async () => 1n,
  },
  { onFault: (name) => faults.push(name) },
)

const ALL: Permission[] = ['read', 'write', 'sign', 'admin']
const ask = (body: string, permissions: Permission[] = ALL) =>
  dispatcher.handle(new TextEncoder().encode(body), { permissions })

const OK = (id: string, result: string) => `{"id":${id},"jsonrpc":"2.0","result":${result}}\n`
const NO = (id: string, code: number, message: string, data = '') =>
  `{"error":{"code":${code},"message":${JSON.stringify(message)}${data}},"id":${id},"jsonrpc":"2.0"}\n`

/** lotus-wire 4, line by line: what is sent, HTTP status, exact body. */
const cases: [string, string, number, string | null][] = [
  [
    'a result, keys in the order of Go',
    '{"jsonrpc":"2.0","id":1,"method":"Filecoin.StorageList","params":[]}',
    200,
    OK('1', '{"a":[1]}'),
  ],
  [
    'tracing data in meta is ignored',
    '{"jsonrpc":"2.0","id":1,"method":"Filecoin.StorageList","params":[],"meta":{"SpanContext":"AAA="}}',
    200,
    OK('1', '{"a":[1]}'),
  ],
  ['params missing', '{"jsonrpc":"2.0","id":2,"method":"Filecoin.StorageList"}', 200, OK('2', '{"a":[1]}')],
  ['params null', '{"id":2,"method":"Filecoin.StorageList","params":null}', 200, OK('2', '{"a":[1]}')],
  ['a text id is echoed', '{"id":"x-1","method":"Filecoin.StorageList"}', 200, OK('"x-1"', '{"a":[1]}')],
  ['space around it', ' \n{"id":2,"method":"Filecoin.StorageList"}\n', 200, OK('2', '{"a":[1]}')],
  ['a void method', '{"id":3,"method":"Filecoin.Take","params":[[1]]}', 200, OK('3', 'null')],
  ['null for a slice', '{"id":3,"method":"Filecoin.Take","params":[null]}', 200, OK('3', 'null')],
  [
    'an error of the method: its first line, and our code as data',
    '{"id":4,"method":"Filecoin.Refuse"}',
    200,
    NO('4', 1, 'full of it', ',"data":{"code":"NO_SPACE","level":"temporary"}'),
  ],
  [
    'a bug in the method',
    '{"id":5,"method":"Filecoin.Break"}',
    500,
    NO(
      '5',
      0,
      "fatal error calling 'Filecoin.Break': panic in rpc method 'Filecoin.Break': x is not a function",
    ),
  ],
  [
    'a known method without code',
    '{"id":6,"method":"Filecoin.Missing"}',
    200,
    NO('6', 1, 'method not supported'),
  ],
  [
    'an unknown method',
    '{"id":7,"method":"Filecoin.Nope"}',
    500,
    NO('7', -32601, "method 'Filecoin.Nope' not found"),
  ],
  [
    'a name that every object has',
    '{"id":7,"method":"constructor"}',
    500,
    NO('7', -32601, "method 'constructor' not found"),
  ],
  [
    'too few parameters',
    '{"id":8,"method":"Filecoin.StorageBestAlloc","params":[1,2]}',
    500,
    NO('8', -32602, "wrong param count (method 'Filecoin.StorageBestAlloc'): 2 != 4"),
  ],
  [
    'an older caller, without the optional one',
    '{"id":8,"method":"Filecoin.StorageBestAlloc","params":[1,2,"x"]}',
    200,
    OK('8', '[1,2,"x",0]'),
  ],
  [
    'a parameter of a wrong type',
    '{"id":9,"method":"Filecoin.Take","params":[["1"]]}',
    500,
    NO(
      '9',
      -32700,
      "unmarshaling params for 'Filecoin.Take' (param: 0): 0: Invalid input: expected number, received string",
    ),
  ],
  [
    'params as an object',
    '{"id":9,"method":"Filecoin.Take","params":{}}',
    500,
    NO('9', -32700, "unmarshaling params for 'Filecoin.Take': not an array"),
  ],
  ['no JSON', '{"id":', 500, NO('null', -32700, 'Parse error')],
  ['JSON that is no request', '7', 500, NO('null', -32700, 'Parse error')],
  [
    'an id that is neither',
    '{"id":{},"method":"Filecoin.Take"}',
    500,
    NO('null', -32700, 'failed to parse ID: invalid id type'),
  ],
  ['an empty body', '', 400, NO('null', -32600, 'Invalid request')],
  ['an empty batch', '[]', 400, NO('null', -32600, 'Invalid request')],
  ['a notification', '{"method":"Filecoin.Take","params":[[7]]}', 200, null],
  ['a notification that fails', '{"method":"Filecoin.Refuse"}', 200, null],
  [
    'a batch, also with a failure in it',
    '[{"id":1,"method":"Filecoin.StorageList"},{"method":"Filecoin.Take","params":[[8]]},{"id":2,"method":"Filecoin.Nope"}]',
    200,
    `[${OK('1', '{"a":[1]}')},${NO('2', -32601, "method 'Filecoin.Nope' not found")}]`,
  ],
]
for (const [title, body, status, expected] of cases) {
  test(`answers as go-jsonrpc: ${title}`, async (t) => {
    t.deepEqual(await ask(body), { status, body: expected })
  })
}

test('what is missing is a permission, named as lotus names it, before parameters are looked at', async (t) => {
  const { status, body } = await ask('{"id":1,"method":"Filecoin.StorageList","params":[1]}', [
    'read',
    'write',
  ])
  t.is(status, 200)
  t.is(body, NO('1', 1, "missing permission to invoke 'StorageList' (need 'admin')"))
})

test('a notification runs', async (t) => {
  await ask('{"method":"Filecoin.Take","params":[[42]]}')
  t.true(taken.some(([number]) => number === 42))
})

test('a result that is no JSON is our bug: told, and answered 500', async (t) => {
  const { status, body } = await ask('{"id":1,"method":"Filecoin.Big"}')
  t.is(status, 500)
  t.regex(body ?? '', /fatal error calling 'Filecoin.Big'/)
  t.true(faults.includes('Filecoin.Big'))
})
