/** The door to compression, which is native work. */

export interface Packer {
  /** A shorter form; a longer one where there is no shorter. */
  pack(bytes: Uint8Array): Promise<Uint8Array>
  /**
   * What was packed by a stranger; never takes more memory than `length` asks for.
   * @param length of the content, bytes, as the stranger says
   * @returns undefined when it is nothing that was packed, or of another length
   */
  unpack(packed: Uint8Array, length: number): Promise<Uint8Array | undefined>
}
