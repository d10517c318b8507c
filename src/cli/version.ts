import { readFileSync } from 'node:fs'

/** This build's version, from the package file beside `dist/` and `src/`. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version
