/** The committed schema is the one that runs, and explains itself. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { isEnumType, isInputObjectType, isInterfaceType, isObjectType, parse, print, printSchema } from 'graphql'
import { createDirectorySchema } from './schema.ts'

const FILE = new URL('schema.graphql', import.meta.url)

describe('schema', () => {
  it('is the committed schema.graphql, however that is laid out', () => {
    const running = print(parse(printSchema(createDirectorySchema())))
    const anew = 'npm run check -- --only schema --fix writes it anew, unless that would break clients'
    assert.equal(print(parse(readFileSync(FILE, 'utf8'))), running, anew)
  })

  it('has a description on every type, field, argument and value', () => {
    const silent: string[] = []
    const note = (name: string, { description }: { description?: string | null | undefined }) => {
      if (!description) silent.push(name)
    }
    for (const type of Object.values(createDirectorySchema().getTypeMap())) {
      if (type.name.startsWith('__') || ['Int', 'String', 'Boolean', 'ID'].includes(type.name)) continue
      note(type.name, type)
      if (isEnumType(type)) for (const value of type.getValues()) note(`${type.name}.${value.name}`, value)
      if (isInputObjectType(type)) {
        for (const field of Object.values(type.getFields())) note(`${type.name}.${field.name}`, field)
      }
      if (!isObjectType(type) && !isInterfaceType(type)) continue
      for (const field of Object.values(type.getFields())) {
        note(`${type.name}.${field.name}`, field)
        for (const argument of field.args) note(`${type.name}.${field.name}(${argument.name})`, argument)
      }
    }
    assert.deepEqual(silent, [])
  })
})
