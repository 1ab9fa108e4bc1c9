/**
 * What the directory is held against: a process that answers the benchmark's page and nothing else, with Node's http,
 * the directory's own SQL prepared once, and `JSON.stringify`. It writes the same bytes.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { decodeAmount, decodeWords, vendorKey } from '../../../indexer/columns.ts'
import type { PlanRow, VendorRow } from '../../../indexer/schema.ts'
import { base64url, fromUtf8, utf8 } from '../../../protocol/bytes.ts'
import { PAGE_ROWS, type PageStatements } from './page.ts'
import { SOURCE } from './seed.ts'

const [, , folder = '', statements = ''] = process.argv
const { vendors, plans, answer } = JSON.parse(statements) as PageStatements

const database = new Database(join(folder, 'directory.sqlite'), { readonly: true })
const vendorsStatement = database.prepare<unknown[], VendorRow>(vendors.sql)
const plansStatement = database.prepare<unknown[], PlanRow>(plans.sql)
/** Where the parameters differ from page to page. */
const cursorAt = vendors.parameters.indexOf(vendorKey(1n))
const idsAt = plans.parameters.findIndex((value) => typeof value === 'string' && value.length === vendorKey(1n).length)
const { extensions } = JSON.parse(answer) as { extensions: object }

const pageAfter = (cursor: string): string => {
  const [, after] = JSON.parse(fromUtf8(base64url.decode(cursor))) as [string, string]
  const read = vendorsStatement.all(...vendors.parameters.with(cursorAt, after))
  const rows = read.slice(0, PAGE_ROWS)
  const ids = rows.map(({ id }) => id)
  const plansOf = Map.groupBy(
    plansStatement.all(...plans.parameters.toSpliced(idsAt, PAGE_ROWS, ...ids)),
    ({ vendor_id: vendorId }) => vendorId,
  )
  const nodes = rows.map((row) => ({
    uri: `chrove:eip155:${SOURCE.chainId}:${SOURCE.registry}/${Number(row.id)}`,
    owner: row.owner,
    active: row.active === 1,
    profile: {
      title: row.title,
      description: row.description,
      serviceTypes: decodeWords(row.service_types),
      regions: decodeWords(row.regions),
    },
    endpoints: (JSON.parse(row.endpoints) as string[]).map((hex) => ({
      text: Buffer.from(hex.slice(2), 'hex').toString(),
    })),
    plans: {
      nodes: (plansOf.get(row.id) ?? []).map((plan) => ({
        planId: plan.plan_id,
        price: String(decodeAmount(plan.price)),
        pricePerDay: String(decodeAmount(plan.price_per_day)),
        periodSeconds: plan.period_seconds,
        settlement: plan.settlement.toUpperCase(),
      })),
    },
  }))
  const endCursor = base64url.encode(utf8(JSON.stringify(['ID_ASC', ids.at(-1)])))
  const pageInfo = { hasNextPage: read.length > PAGE_ROWS, endCursor }
  return JSON.stringify({ data: { vendors: { nodes, pageInfo } }, extensions })
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const { variables } = JSON.parse(Buffer.concat(chunks).toString()) as { variables: { after: string } }
    const body = Buffer.from(pageAfter(variables.after))
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length })
    response.end(body)
  })
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
