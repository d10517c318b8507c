import everyday from './ava.config.js'

/** The kill matrix alone: `npm run matrix`. It takes minutes, and wants the machine to itself. */
export default { ...everyday, files: ['test/faults/restart-matrix.test.ts'] }
