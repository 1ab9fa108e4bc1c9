/**
 * The committed GraphQL schema is the one that runs, and clients that were written for it go on working: what would
 * break them is refused, with `--fix` too. What has to go all the same is first taken out of `schema.graphql` by hand,
 * where a reviewer sees it, and marked **breaking** in CHANGELOG.md.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { buildSchema, findBreakingChanges, parse, print, printSchema } from 'graphql'
import { createDirectorySchema } from '../../indexer/graphql/schema.ts'

/** @returns what would break clients of the committed schema, one sentence each */
export const breakingChanges = (committed: string, running: string): readonly string[] =>
  findBreakingChanges(buildSchema(committed), buildSchema(running)).map(({ description }) => description)

/** However it is laid out. */
const normal = (schema: string): string => print(parse(schema))

if (import.meta.main) {
  const file = new URL('../../indexer/graphql/schema.graphql', import.meta.url)
  const committed = await readFile(file, 'utf8')
  const running = printSchema(createDirectorySchema())
  const breaking = breakingChanges(committed, running)
  for (const change of breaking) process.stderr.write(`breaks clients: ${change}\n`)
  if (breaking.length > 0) process.exitCode = 1
  else if (normal(committed) !== normal(running)) {
    if (process.argv.includes('--fix')) await writeFile(file, `${normal(running)}\n`)
    else {
      process.stderr.write('schema.graphql is not the schema that runs: run npm run check -- --only schema --fix\n')
      process.exitCode = 1
    }
  }
}
