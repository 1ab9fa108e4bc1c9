/** What a buyer receives: how to reach the servers that were paid for. @see SEED 000 cert.info */
import { z } from 'zod'
import { SERVER_LIST_MAX } from './limits.ts'

const name = z.string().max(256)
const secret = z.string().min(1).max(256)
const host = z.string().min(1).max(255)
const port = z.int().min(1).max(65_535)
const login = z.object({ address: host, port, username: secret, password: secret })

/** One server; the three types of the original keep their shapes. */
export const serverSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ss'),
    server_name: name,
    config: z.object({ address: host, port, method: secret, key: secret }),
  }),
  z.object({ type: z.literal('socks5'), server_name: name, config: login }),
  z.object({ type: z.literal('https'), server_name: name, config: login }),
])

export const serverListSchema = z.array(serverSchema).min(1).max(SERVER_LIST_MAX)

export type Server = z.infer<typeof serverSchema>
export type Socks5Server = Extract<Server, { type: 'socks5' }>
