/**
 * Writes src/native/exports.d.ts from what `native/` exports; with `--check` it only compares.
 *
 * The types fall out of macro expansion, so `cargo check` is enough: no second optimized build, as
 * `napi build` would make. The file is committed so that review sees the surface change and set-up needs no
 * @napi-rs/cli.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateTypeDef } from '@napi-rs/cli'
import { at, TARGET, TOP } from './setup/paths.mjs'

const DTS = at('src', 'native', 'exports.d.ts')
const HEADER = '// Generated from native/ by `npm run build:dts`; edit the Rust, then run that.\n\n'

/** Runs the macros of native/ with a folder to write their types to. @returns that folder */
function expandTypes() {
  const folder = join(TARGET, 'type-definitions')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const cargo = spawnSync(
    'cargo',
    ['check', '--quiet', '--locked', '-p', 'sealyard-native', '--target-dir', TARGET],
    {
      cwd: TOP,
      stdio: 'inherit',
      env: {
        ...process.env,
        NAPI_TYPE_DEF_TMP_FOLDER: folder,
        // A crate that cargo thinks fresh expands nothing; napi-build asks for this variable's changes.
        NAPI_FORCE_BUILD_SEALYARD_NATIVE: String(Date.now()),
      },
    },
  )
  if (cargo.status !== 0) throw new Error('cargo check of sealyard-native failed')
  return folder
}

async function main() {
  const { constEnum } = JSON.parse(readFileSync(at('package.json'), 'utf8')).napi
  const { dts } = await generateTypeDef({ typeDefDir: expandTypes(), cwd: TOP, constEnum, dtsHeader: HEADER })
  if (dts.trim() === '') throw new Error('native/ exports nothing: src/native/exports.d.ts would be empty')
  const wanted = `${dts.trimEnd()}\n`
  const current = existsSync(DTS) ? readFileSync(DTS, 'utf8') : ''
  if (wanted === current) return
  if (process.argv.includes('--check')) {
    console.error('src/native/exports.d.ts does not match native/; run: npm run build:dts')
    process.exitCode = 1
    return
  }
  writeFileSync(DTS, wanted)
  console.log('src/native/exports.d.ts written')
}

await main()
