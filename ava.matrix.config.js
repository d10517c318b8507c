import everyday from './ava.config.js'

/** The kill matrix: `npm run matrix`, and the last step of `npm test`. It takes minutes, and wants the machine to itself. */
export default { ...everyday, files: ['test/faults/restart-matrix.test.ts'] }
