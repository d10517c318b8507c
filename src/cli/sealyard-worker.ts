import { main } from './program.ts'
import { workerProgram } from './worker-program.ts'

await main(workerProgram(), process.argv.slice(2))
