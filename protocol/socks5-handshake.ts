/** Conducts the server's half of a SOCKS5 handshake over whatever can read and write. */
import {
  decideSocks,
  SOCKS_LOGIN_ANSWER,
  type SocksDestination,
  type SocksLogin,
  type SocksRefusal,
  type SocksStage,
} from './socks5.ts'

export interface SocksIo {
  /** The next bytes of the client, exactly so many. */
  read(length: number): Promise<Uint8Array>
  write(bytes: Uint8Array): void
}

export type SocksOutcome =
  | { readonly do: 'connect'; readonly destination: SocksDestination }
  /** The client was told, and awaits the end of the connection. */
  | { readonly do: 'close'; readonly why: SocksRefusal | 'login' }

/**
 * What the client wants, once it has said so by all the rules.
 * @param checkLogin demands user and password; without it clients must offer to do without
 * @throws what `read` throws
 */
export const conductSocks = async (io: SocksIo, checkLogin?: (login: SocksLogin) => boolean): Promise<SocksOutcome> => {
  const auth = checkLogin ? 'password' : 'none'
  let stage: SocksStage = 'greeting'
  let message: Uint8Array = new Uint8Array()
  const goOn = (send: Uint8Array, next: SocksStage) => {
    io.write(send)
    stage = next
    message = new Uint8Array()
  }
  for (;;) {
    const decision = decideSocks(auth, stage, message)
    switch (decision.do) {
      case 'read':
        message = Uint8Array.of(...message, ...(await io.read(decision.bytes)))
        break
      case 'go-on':
        goOn(decision.send, decision.stage)
        break
      case 'check-login':
        if (!checkLogin?.(decision.login)) {
          io.write(SOCKS_LOGIN_ANSWER.denied)
          return { do: 'close', why: 'login' }
        }
        goOn(SOCKS_LOGIN_ANSWER.granted, 'request')
        break
      case 'refuse':
        io.write(decision.send)
        return { do: 'close', why: decision.why }
      case 'connect':
        return decision
    }
  }
}
