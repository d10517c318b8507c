import { describeError } from '../base/errors.ts'

/**
 * The other end of `ChildEntry.ask`: says that this process is ready, answers each order, and ends with its parent.
 * @param handle what it throws is answered in words; undefined is no answer
 */
export function takeOrders<Order>(handle: (order: Order) => Promise<unknown>): void {
  const answer = async (order: Order) => {
    const result = await handle(order).catch(describeError)
    if (result !== undefined) process.send?.(result)
  }
  process.on('message', (order: Order) => void answer(order))
  process.on('disconnect', () => process.exit())
  process.send?.('ready')
}
