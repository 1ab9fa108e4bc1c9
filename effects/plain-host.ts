/** How the system tells the address of a peer. */

/** Without what a socket of both families puts before an IPv4 address. */
export const plainHost = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '')
