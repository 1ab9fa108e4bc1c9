/** What was set up, and from which files: a step is recorded only once it succeeded, so a kill leaves it undone. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const recordPath = (root) => join(root, 'node_modules', '.chrove-setup.json')

const hash = (...parts) => {
  const sha256 = createHash('sha256')
  for (const part of parts) sha256.update(`${part.length}:`).update(part)
  return sha256.digest('hex')
}

/** Of the lockfile and the platform: an install does not move from one system to another. */
export const dependenciesHash = (root) =>
  hash(readFileSync(join(root, 'package-lock.json')), `${process.platform}-${process.arch}`)

/** Of the sources, the compiler's settings, and the lockfile, which fixes the compiler. */
export const contractsHash = (root) => {
  const paths = filesBelow(root, 'contracts').sort()
  const contents = ['hardhat.config.ts', 'package-lock.json', ...paths].map((path) => readFileSync(join(root, path)))
  return hash(...paths, ...contents)
}

const filesBelow = (root, folder) =>
  !existsSync(join(root, folder))
    ? []
    : readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? filesBelow(root, join(folder, entry.name)) : [join(folder, entry.name)],
      )

/** @returns `{ dependencies?, contracts? }`, hashes; empty when nothing readable is there */
export const readRecord = (root) => {
  try {
    return JSON.parse(readFileSync(recordPath(root), 'utf8')) ?? {}
  } catch {
    return {}
  }
}

/** Replaces the record in one step, so that a reader sees the old one or the new one. */
export const writeRecord = (root, record) => {
  const path = recordPath(root)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, `${JSON.stringify(record)}\n`)
  renameSync(`${path}.new`, path)
}

/** Nothing counts as set up from now on. */
export const forgetRecord = (root) => rmSync(recordPath(root), { force: true })
