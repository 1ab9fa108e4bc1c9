import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { routeHas } from './route.ts'

describe('the route of an offer', () => {
  it('has the requests that a gateway prices by it, however they are spelled', () => {
    for (const [route, path] of [
      ['GET /premium', '/premium'],
      ['GET /premium', '/Premium'],
      ['GET /premium', '/premium//'],
      ['GET /Docs/:name', '/Docs/A'],
      ['GET /Docs/:name', '/docs/a/'],
      ['* /Images/*', '/images/A/b/'],
      ['GET /files/', '/Files//'],
      ['GET /', '/'],
      ['* /*', '/'],
    ] as const) {
      assert.ok(routeHas(route, 'GET', path), `${route} ${path}`)
    }
  })

  it('has no others', () => {
    for (const [route, path] of [
      ['POST /premium', '/premium'],
      ['GET /premium', '/premium/a'],
      ['GET /premium', '/premiums'],
      ['GET /docs/:name', '/docs/'],
      ['GET /files/', '/file'],
      ['GET /', '/a'],
      ['/premium', '/premium'],
    ] as const) {
      assert.ok(!routeHas(route, 'GET', path), `${route} ${path}`)
    }
  })
})
