import { main } from './program.ts'
import { sealerProgram } from './sealer-program.ts'

await main(sealerProgram(), process.argv.slice(2))
