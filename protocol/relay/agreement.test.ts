import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesToHex } from '@noble/hashes/utils.js'
import {
  agreementEntropyBytes,
  type AgreementTerms,
  beginAgreement,
  isProof,
  opensProof,
  sharedSecret,
  streamKey,
} from './agreement.ts'

const terms = { suite: 'p256', channel: '7', words: ['mustard', 'reunion'] } as const
const begin = (role: 'sender' | 'recipient', others: Partial<AgreementTerms> = {}, fill = 1) =>
  beginAgreement(
    { ...terms, ...others, role },
    new Uint8Array(agreementEntropyBytes(others.suite ?? 'p256')).fill(fill),
  )

/** What the two come to when each has its own terms. */
const agree = (sender: Partial<AgreementTerms>, recipient: Partial<AgreementTerms>, streams = [1, 1]) => {
  const [a, b] = [begin('sender', sender), begin('recipient', recipient, 2)]
  return [a.agree(b.share, streams[0] ?? 1), b.agree(a.share, streams[1] ?? 1)] as const
}

describe('an agreement', () => {
  it('gives both the same proofs and the same secret, which the relay can tell to have been opened', () => {
    const [a, b] = agree({}, {})
    assert.deepEqual(a, b)
    assert.ok(isProof(a.hhK, b.hhK) && opensProof(a.hhK, b.hK))
    assert.equal(a.hhK.length, 64)
  })

  it('fails with other words, on another channel, with another number of streams', () => {
    const differing: [Partial<AgreementTerms>, Partial<AgreementTerms>, number[]][] = [
      [{}, { words: ['mustard', 'reunite'] }, [1, 1]],
      [{}, { words: ['reunion', 'mustard'] }, [1, 1]],
      [{}, { channel: '8' }, [1, 1]],
    ]
    for (const [ours, theirs, streams] of differing) {
      const [a, b] = agree(ours, theirs, streams)
      assert.notDeepEqual(a.session, b.session)
      assert.ok(!isProof(a.hhK, b.hhK) && !isProof(a.hK, b.hK) && !opensProof(a.hhK, b.hK))
    }
    const [a, b] = agree({}, {}, [4, 1])
    assert.ok(!isProof(a.hhK, b.hhK) && !isProof(a.hK, b.hK))
  })

  it('gives a share back to who sent it nothing: neither side takes its own for the peer’s', () => {
    const a = begin('sender')
    const reflected = a.agree(a.share, 1)
    assert.ok(!isProof(reflected.hhK, a.agree(begin('recipient', {}, 2).share, 1).hhK))
  })

  it('wipes the entropy that it was given', () => {
    const entropy = new Uint8Array(agreementEntropyBytes('p256')).fill(9)
    beginAgreement({ ...terms, role: 'sender' }, entropy)
    assert.ok(entropy.every((byte) => byte === 0))
  })

  it('opens a proof with what was committed to, and nothing else', () => {
    const [{ hhK, hK }] = agree({}, {})
    for (const wrong of [hhK, new Uint8Array(64), hK.subarray(1), hK.subarray(0, 32), new Uint8Array()])
      assert.ok(!opensProof(hhK, wrong))
    assert.ok(!opensProof(new Uint8Array(), new Uint8Array()))
    assert.ok(!opensProof(hhK.subarray(32), hK.subarray(32)))
  })

  it('makes a key for each direction of each stream of each connection, and they are all different', () => {
    const session = new Uint8Array(32).fill(3)
    const salt = (fill: number) => new Uint8Array(32).fill(fill)
    const keys = [0, 1].flatMap((stream) =>
      (['sender', 'recipient'] as const).flatMap((from) =>
        [1, 2].flatMap((sender) =>
          [1, 2].map((recipient) =>
            bytesToHex(streamKey(session, stream, from, { sender: salt(sender), recipient: salt(recipient) })),
          ),
        ),
      ),
    )
    assert.equal(new Set([...keys, bytesToHex(sharedSecret(session))]).size, keys.length + 1)
  })
})
