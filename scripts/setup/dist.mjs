/** Compiles `src` to `dist`, with the files beside the TypeScript that the programs read. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { at } from './paths.mjs'
import { filesBelow, hashOf, readStamp, writeStamp } from './stamps.mjs'
import { run } from './step.mjs'

const hash = () =>
  hashOf(['src', 'tsconfig.json', 'package-lock.json'], { accept: (file) => !file.endsWith('.md') })

export const dist = {
  title: 'TypeScript',
  isCurrent: () => existsSync(at('dist')) && readStamp('dist') === hash(),
  async make() {
    const wanted = hash()
    removeLeftovers()
    // Beside dist, so that the source maps' relative paths stay right after the rename.
    const fresh = at(`dist.${process.pid}`)
    try {
      await run(
        'tsc',
        process.execPath,
        [at('node_modules/typescript/bin/tsc'), '-p', at(), '--outDir', fresh],
        {
          advice: 'The TypeScript does not compile; the lines above name file and place.',
        },
      )
      copyAssets(at('src'), fresh)
      replaceDirectory(fresh, at('dist'))
    } finally {
      rmSync(fresh, { recursive: true, force: true })
    }
    writeStamp('dist', wanted)
  },
}

/** What a set-up that was killed has left; no other is at work now. */
function removeLeftovers() {
  for (const name of readdirSync(at())) {
    if (/^dist\.(old\.)?\d+$/.test(name)) rmSync(at(name), { recursive: true, force: true })
  }
}

function copyAssets(from, to) {
  for (const file of filesBelow(from, (name) => !/\.(ts|md)$/.test(name))) {
    const target = join(to, relative(from, file))
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(file, target)
  }
}

/** A removed source must not live on in dist. */
function replaceDirectory(fresh, target) {
  const old = `${target}.old.${process.pid}`
  if (existsSync(target)) renameSync(target, old)
  renameSync(fresh, target)
  rmSync(old, { recursive: true, force: true })
}
