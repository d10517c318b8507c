/**
 * AVA runs TypeScript through tsx, which AVA's worker threads cannot load: child processes it is.
 * Two at a time, because flow tests start daemons of their own.
 */
export default {
  // The kill matrix wants the machine to itself: it is run afterwards, with ava.matrix.config.js.
  files: ['test/**/*.test.ts', '!test/faults/restart-matrix.test.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  concurrency: 2,
  timeout: '5m',
}
