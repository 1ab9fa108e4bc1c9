/** GraphQL over HTTP, as the working group's own audits see it on a real socket. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { serverAudits } from 'graphql-http'
import { serveHttp } from '../../effects/http-server.ts'
import type { Listener } from '../../effects/network.ts'
import { chainOf, directoryOf, doing } from './testing.ts'

let listener: Listener
before(async () => {
  const { graphql } = await directoryOf(chainOf([doing('register', 0, 0)]))
  listener = await serveHttp(graphql, { host: '127.0.0.1', port: 0 })
})
after(() => listener.close())

/** The second time, what may be answered from the cache is. */
for (const time of ['first', 'second']) {
  describe(`GraphQL over HTTP, ${time} time`, () => {
    const audits = serverAudits({ url: () => `http://127.0.0.1:${listener.address.port}/graphql` })
    it('has 61 audits', () => assert.equal(audits.length, 61))
    for (const audit of audits) {
      it(`${audit.id}: ${audit.name}`, async () => {
        const result = await audit.fn()
        assert.equal(result.status, 'ok', 'reason' in result ? result.reason : '')
      })
    }
  })
}
