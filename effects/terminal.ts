/** The door to the person or script that runs a command. Results go out; all else is said beside them. */

export interface Terminal {
  /** Result, on standard output; nothing is added to it. Resolves once it is out of this process. */
  out(text: string): Promise<void>
  /** The same, of what is no text. */
  outBytes(bytes: Uint8Array): Promise<void>
  /** Progress, questions and errors, on standard error. */
  err(text: string): void
  /** Whether a person is there to be asked. */
  readonly interactive: boolean
  /** Asks for one line without showing what is typed. Only when `interactive`. */
  askSecret(question: string): Promise<string>
  /** Asks yes or no; anything but yes is no. Only when `interactive`. */
  confirm(question: string): Promise<boolean>
}
