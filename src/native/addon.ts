import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type * as Addon from './exports.d.ts'

// The same relative path is right from src/native and from dist/native.
const file = fileURLToPath(new URL(`../../build/sealyard.linux-${process.arch}-gnu.node`, import.meta.url))
if (!existsSync(file)) {
  throw new Error(
    `${file} is missing: run "npm run build" (it needs a stable Rust toolchain) and start again`,
  )
}

/** Every export of the addon, untranslated: the wrappers beside this file are what others import. */
export const addon = createRequire(import.meta.url)(file) as typeof Addon
