/** The lockfile fixes what package.json asks for, and names no registry, so that everyone uses the one they have set. */
import { readFile } from 'node:fs/promises'

type Dependencies = Readonly<Record<string, string>>

interface Manifest {
  readonly dependencies?: Dependencies
  readonly devDependencies?: Dependencies
}

interface Lockfile {
  readonly packages: Readonly<Record<string, Manifest & { readonly resolved?: string }>>
}

/** @returns what is wrong, one sentence each, sorted */
export const faultsOf = (manifest: Manifest, { packages }: Lockfile): readonly string[] => {
  const wanted = { ...manifest.dependencies, ...manifest.devDependencies }
  const fixed = { ...packages['']?.dependencies, ...packages['']?.devDependencies }
  const differ = Object.keys({ ...wanted, ...fixed })
    .filter((name) => wanted[name] !== fixed[name])
    .map((name) => `${name} differs between package.json and package-lock.json: run npm install --loglevel=notice`)
  const resolved = Object.entries(packages)
    .filter(([, { resolved: url }]) => url !== undefined)
    .map(([path]) => `${path} names a registry: run npm install with the project's .npmrc`)
  return [...differ, ...resolved].toSorted()
}

if (import.meta.main) {
  const read = async (name: string): Promise<unknown> =>
    JSON.parse(await readFile(new URL(`../../${name}`, import.meta.url), 'utf8'))
  const faults = faultsOf((await read('package.json')) as Manifest, (await read('package-lock.json')) as Lockfile)
  for (const fault of faults) process.stderr.write(`${fault}\n`)
  process.exitCode = faults.length === 0 ? 0 : 1
}
