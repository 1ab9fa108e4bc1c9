/**
 * The documents that buyers ask a directory fit its committed schema, and are the ones that the client sends: it has them
 * as a module, for a browser reads no files. With `--fix` the module is written anew.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { buildSchema, type GraphQLSchema, parse, validate } from 'graphql'

export interface DocumentFile {
  /** Of the document; the file's without its ending. */
  readonly name: string
  readonly text: string
}

/** @returns why documents could never be answered, one sentence each */
export const documentFaults = (schema: GraphQLSchema, files: readonly DocumentFile[]): readonly string[] =>
  files.flatMap(({ name, text }) => validate(schema, parse(text)).map(({ message }) => `${name}.graphql: ${message}`))

/** The module that holds the documents, each with the name that a directory knows it by. */
export const renderDocuments = (files: readonly DocumentFile[]): string => {
  const members = files.map(({ name, text }) => {
    const sha256 = createHash('sha256').update(text).digest('hex')
    return `  ${name}: {\n    sha256: '${sha256}',\n    text: ${JSON.stringify(text)},\n  },\n`
  })
  return `/** Generated from protocol/directory/documents/ by scripts/check/documents.ts. */\nexport const documents = {\n${members.join('')}} as const\n`
}

const readDocuments = async (folder: string): Promise<readonly DocumentFile[]> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.graphql')).toSorted()
  const read = async (name: string) => ({
    name: basename(name, '.graphql'),
    text: await readFile(join(folder, name), 'utf8'),
  })
  return Promise.all(names.map(read))
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '../..')
  const schema = buildSchema(await readFile(join(root, 'indexer/graphql/schema.graphql'), 'utf8'))
  const files = await readDocuments(join(root, 'protocol/directory/documents'))
  const faults = documentFaults(schema, files)
  for (const fault of faults) process.stderr.write(`${fault}\n`)
  const file = join(root, 'protocol/directory/generated/documents.ts')
  const rendered = renderDocuments(files)
  if (faults.length > 0) process.exitCode = 1
  else if (process.argv.includes('--fix')) await writeFile(file, rendered)
  else if ((await readFile(file, 'utf8')) !== rendered) {
    process.stderr.write('the module of the documents is out of date: run npm run check -- --only documents --fix\n')
    process.exitCode = 1
  }
}
